use automarket_core::{Error, ErrorKind, Result, text};

/// Whether two texts are the same but for white space, which Meta tidies, and normal form.
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    text::normal(one) == text::normal(other)
}

/// The own one among comments of one text: others may say the same.
///
/// # Errors
/// `CannotTell` when none is known to be, and of one nobody says whose it is.
pub fn own_comment<T>(comments: Vec<T>, is_own: impl Fn(&T) -> Option<bool>) -> Result<Option<T>> {
    let mut unsigned = false;
    for comment in comments {
        match is_own(&comment) {
            Some(true) => return Ok(Some(comment)),
            Some(false) => {}
            None => unsigned = true,
        }
    }
    if unsigned {
        let why = "there is such a comment, and nothing says whose it is: look at the post";
        return Err(Error::new(ErrorKind::CannotTell, why));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_in_another_normal_form() {
        assert!(same("Cafe\u{301}\nopen", "Caf\u{e9} open"));
        assert!(!same("Cafe open", "Caf\u{e9} open"));
    }
}
