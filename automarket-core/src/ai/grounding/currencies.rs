//! Currencies: their signs, codes and names.

/// Currencies by code: what stands before or behind a number, and names that stand behind alone, as they are words, too
/// (`the real 5`). Two words are joined by `_`.
const CURRENCIES: [(&str, &str, &str); 37] = [
    (
        "USD",
        "$ us$ u$s usd dollar dollars",
        "us_dollar us_dollars dólar dólares dollari доллар доллара долларов 美元 美金 ドル 米ドル 달러",
    ),
    ("EUR", "€ eur euro euros", "euroa евро 欧元 ユーロ 유로"),
    ("GBP", "£ gbp pound pounds", "pfund libras 英镑"),
    ("JPY", "¥ jpy yen 円", "日元 엔"),
    // See `digits::yen`.
    ("CNY", "￥ cny rmb", "yuan renminbi 元 人民币"),
    ("INR", "₹ rs inr rupee rupees", ""),
    (
        "CHF",
        "chf sfr franken",
        "schweizer_franken swiss_franc swiss_francs francs_suisses",
    ),
    ("AUD", "a$ au$ aud", "australian_dollars 澳元"),
    ("CAD", "c$ ca$ cad", "canadian_dollars 加元"),
    ("NZD", "nz$ nzd", ""),
    ("HKD", "hk$ hkd", "港元 港币"),
    ("SGD", "s$ sg$ sgd", "singapore_dollars"),
    ("TWD", "nt$ twd", "新台币"),
    ("BRL", "r$ brl", "reais"),
    ("MXN", "mx$ mxn", ""),
    ("peso", "ar$ clp$ col$", "peso pesos"),
    ("kr", "kr", "kronor kroner krone krona"),
    ("SEK", "sek", ""),
    ("NOK", "nok", ""),
    ("DKK", "dkk", ""),
    ("PLN", "zł pln", "zloty złoty złotych złote"),
    ("CZK", "kč czk", "korun koruny"),
    ("HUF", "ft huf", "forint"),
    ("RON", "", "lei"),
    ("RUB", "₽ rub", "руб рублей рубля рубль"),
    ("UAH", "₴ uah", "грн гривень"),
    ("KRW", "₩ ￦ krw", "원 韩元 ウォン"),
    ("TRY", "₺", "tl lira lirası"),
    ("ILS", "₪ ils", "shekel shekels"),
    ("THB", "฿ thb", "baht"),
    ("VND", "₫ vnd", ""),
    ("PHP", "₱", ""),
    ("NGN", "₦ ngn", "naira"),
    ("ZAR", "zar", ""),
    ("IDR", "rp idr", "rupiah"),
    ("AED", "aed", "dirham dirhams"),
    ("MYR", "myr", "ringgit"),
];

/// Signs that are their own name.
const OTHERS: [&str; 34] = [
    "¢", "¤", "֏", "؋", "৲", "৳", "૱", "௹", "៛", "₠", "₡", "₢", "₣", "₤", "₥", "₧", "₨", "₭", "₮",
    "₯", "₰", "₲", "₳", "₵", "₶", "₷", "₸", "₻", "₼", "₾", "₿", "⃀", "﷼", "￠",
];

/// The currency of a word or sign behind a number.
pub(super) fn currency(word: &str) -> Option<&'static str> {
    find(word, true)
}

/// The currency that stands before a number, with its length up to it: `$`, `R$`, `CHF `, `Rs. `.
pub(super) fn currency_before(before: &str) -> Option<(&'static str, usize)> {
    let (word, length) = super::units::last_word(before)?;
    if word == "." {
        let rest = before.get(..before.len() - length)?;
        let (word, more) = super::units::last_word(rest)?;
        let code =
            find(word, false).filter(|_| matches!(&*word.to_lowercase(), "rs" | "kr" | "rp"));
        return code
            .filter(|_| rest.ends_with(word))
            .map(|code| (code, length + more));
    }
    let code = find(word, false)?;
    // The letters at the sign.
    let rest = before.get(..before.len() - length)?;
    let letters = rest
        .bytes()
        .rev()
        .take(4)
        .take_while(u8::is_ascii_alphabetic)
        .count();
    let at = rest.len() - letters;
    let signed = rest
        .get(at..)
        .filter(|letters| word == "$" && (1..4).contains(&letters.len()))
        .and_then(|letters| find(&format!("{letters}$"), false));
    Some(match signed {
        Some(code) => (code, length + letters),
        None => (code, length),
    })
}

/// The longest name of a currency that a text of a script without blanks begins with.
pub(super) fn name_at(text: &str) -> Option<&'static str> {
    let names = CURRENCIES.iter().flat_map(|(_, _, names)| names.split(' '));
    let at_it = names.filter(|name| !name.is_empty() && text.starts_with(name));
    at_it.max_by_key(|name| name.len())
}

fn find(word: &str, names: bool) -> Option<&'static str> {
    // A long word is none, and is not copied for each number beside it.
    if word.len() > 40 {
        return None;
    }
    let lower = word.to_lowercase();
    // Written otherwise they are feet, and seconds in German.
    if ["Ft", "SEK"]
        .iter()
        .any(|exact| exact.to_lowercase() == lower && *exact != word)
    {
        return None;
    }
    let has = |words: &str| words.split(' ').any(|one| one == lower && !one.is_empty());
    CURRENCIES
        .iter()
        .find(|(_, signs, all)| has(signs) || (names && has(all)))
        .map(|(code, ..)| *code)
        .or_else(|| OTHERS.into_iter().find(|sign| *sign == word))
}
