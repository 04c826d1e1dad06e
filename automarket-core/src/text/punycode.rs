//! How long a host label gets in ASCII (RFC 3492).

/// Longest label.
const MAX_LABEL: usize = 63;

/// Whether a label is 1 to 63 characters long in its ASCII form. `half`: the second half of a surrogate pair
/// stands before it, as the reference may read it.
pub(super) fn is_label(label: &str, half: bool) -> bool {
    if !half && label.is_ascii() && !label.contains('\x7F') {
        return (1..=MAX_LABEL).contains(&label.len());
    }
    let half = half.then_some(0xDC00);
    let codes: Vec<u32> = half
        .into_iter()
        .chain(label.chars().map(|c| c as u32))
        .take(MAX_LABEL + 1)
        .collect();
    if codes.is_empty() || codes.len() > MAX_LABEL {
        return false; // The ASCII form is never shorter.
    }
    // The reference takes the ideographic full stops for dots here.
    let dots = |code: &u32| matches!(code, 0x3002 | 0xFF0E | 0xFF61);
    let parts = codes.split(dots).map(encoded_len);
    parts.fold(0, |sum, part| sum + part + 1) - 1 <= MAX_LABEL
}

/// The length of the ASCII form, `xn--` included.
fn encoded_len(codes: &[u32]) -> usize {
    if codes.iter().all(|code| *code < 0x7F) {
        return codes.len();
    }
    let basic = codes.iter().filter(|code| **code < 0x80).count();
    let mut length = "xn--".len() + basic + usize::from(basic > 0);
    let (mut next, mut delta, mut bias) = (0x80, 0_u32, 72);
    let mut handled = basic as u32;
    while (handled as usize) < codes.len() {
        let Some(least) = codes.iter().copied().filter(|code| *code >= next).min() else {
            break;
        };
        delta += (least - next) * (handled + 1);
        next = least;
        for code in codes {
            if *code < next {
                delta += 1;
            }
            if *code == next {
                length += digits(delta, bias);
                bias = adapt(delta, handled + 1, handled as usize == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta += 1;
        next += 1;
    }
    length
}

/// How many digits a number takes.
fn digits(mut number: u32, bias: u32) -> usize {
    let mut count = 1;
    let mut k: u32 = 36;
    loop {
        let threshold = k.saturating_sub(bias).clamp(1, 26);
        if number < threshold {
            return count;
        }
        number = (number - threshold) / (36 - threshold);
        count += 1;
        k += 36;
    }
}

fn adapt(delta: u32, handled: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / handled;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}
