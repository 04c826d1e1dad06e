//! Currencies, magnitudes, percents, months and digits of many languages.

use super::judge;

#[test]
fn a_currency_is_no_other_one() {
    judge(
        &[
            ("R$ 49", "Só R$ 49, 49 reais"),
            ("A$49", "A$49, AU$ 49, 49 AUD"),
            ("US$ 49", "$49, 49 US dollars, 49 dólares"),
            ("49 US dollars", "$49"),
            ("49 dólares", "$49"),
            ("定价199元", "只要¥199, ￥199"),
            ("价格￥199", "199元"),
            ("199美元", "$199"),
            ("Fr. 49.–", "CHF 49"),
            ("49 Schweizer Franken", "CHF 49"),
            ("3 miljoen euro", "€ 3 miljoen"),
            ("Rs. 499", "₹499"),
            ("₹499", "Rs 499, Rs.499"),
            ("49 zł", "49 PLN"),
            ("49 kr", "kr 49, kr. 49"),
            ("₩49,000", "49,000원"),
            // Words that are names of money as well.
            ("5 customers", "The real 5, 5 real customers"),
            ("5 teams won", "All 5 won"),
            ("8 steps", "Fr. 8 steps"),
            ("10 feet", "10 ft"),
            ("30 Sekunden", "30 Sek."),
            ("5000 Ft", "5000 HUF"),
        ],
        &[
            ("R$ 49", "Only $49", &["$49"]),
            ("R$ 49", "Only US$ 49", &["US$ 49"]),
            ("A$49", "$49", &["$49"]),
            ("$49", "A$49", &["A$49"]),
            ("49 €", "49 zł", &["49 zł"]),
            ("49 €", "49 kr", &["49 kr"]),
            ("49 €", "49 dólares", &["49 dólares"]),
            ("49 $", "₩49, ₺49, ₽49", &["₩49", "₺49", "₽49"]),
            ("199元", "199美元", &["199美元"]),
            ("49 €", "₿49", &["₿49"]),
            ("49 $", "49 Schweizer Franken", &["49 Schweizer Franken"]),
        ],
    );
}

#[test]
fn magnitudes_and_percents_of_many_languages() {
    judge(
        &[
            ("3 miljoen", "3,000,000"),
            ("3 млрд", "3 миллиарда"),
            ("3 mil millones", "3 miliardi"),
            ("20 prosent", "20 %"),
            ("20 prosenttia", "20 %"),
            ("20 процентов", "20 %"),
            ("20 százalék", "20 %"),
            ("%20 indirim", "%20, 20 %, yüzde 20"),
            ("20 %", "%20 indirim"),
            ("50%20", "50%"),
            // India.
            ("₹1,50,000", "₹1.5 lakh"),
            ("₹1,50,000", "₹150,000"),
            ("1,00,000 customers", "100,000"),
            ("1,00,000 customers", "1 lakh customers"),
            ("12,34,567", "1234567"),
        ],
        &[
            ("3 miljoen", "3 miljard", &["3 miljard"]),
            ("3 млн", "3 млрд", &["3 млрд"]),
            ("3 mln", "3 mld", &["3 mld"]),
            ("3 milyon", "3 milyar", &["3 milyar"]),
            ("3 mil millones", "3 mil", &["3 mil"]),
            ("20 kişi katıldı.", "%20 indirim", &["%20"]),
            ("50% 20 teams", "20%", &["20%"]),
            ("₹1,50,000", "₹15,000", &["₹15,000"]),
            ("1,5,000", "15,000", &["15,000"]),
        ],
    );
}

#[test]
fn months_and_hours_of_many_languages() {
    judge(
        &[
            ("12 de marzo de 2025", "12.03.2025, 12 de marzo"),
            ("2025-12-05", "5 de dezembro de 2025"),
            ("12 maart 2025", "12 maart"),
            ("om 19.30 uur", "19:30"),
            ("ore 19.30", "19:30"),
            ("kl. 19.30", "19:30"),
            ("o godz. 19.30", "19:30"),
            ("19.30 horas", "19:30"),
            ("19:30", "ore 19.30"),
        ],
        &[
            (
                "12 de marzo de 2025",
                "12 de mayo de 2025",
                &["12 de mayo de 2025"],
            ),
            ("12 de março", "12 de maio", &["12 de maio"]),
            ("12 maart 2025", "12 mei 2025", &["12 mei 2025"]),
            ("ore 19.30", "19:45", &["19", "45"]),
            ("24 horas", "24:00", &["00"]),
        ],
    );
}
