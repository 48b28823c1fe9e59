//! `Retry-After`: seconds, or a date as HTTP writes it.

use std::time::Duration;

use crate::http::Headers;

/// How long the server asks to wait, if it does.
///
/// A date is read against the server's own `Date`, so that a clock that is wrong on either side does no harm; without
/// that header it is not understood.
pub(crate) fn retry_after(headers: &Headers) -> Option<Duration> {
    wait(headers.get("retry-after")?, headers.get("date"))
}

fn wait(value: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    }
    let seconds = seconds(value)?.saturating_sub(seconds(date?)?);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Seconds since 1970 of a date like `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers may write.
fn seconds(date: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<&str> = date.split_ascii_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words[..] else {
        return None;
    };
    let day: i64 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let year: i64 = year.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let clock: Vec<i64> = time.split(':').map_while(|part| part.parse().ok()).collect();
    let [hour, minute, second] = clock[..] else {
        return None;
    };
    let in_range = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    // Years that begin in March put the leap day last; 153 days are five months from March on.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    in_range.then_some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_seconds_since_1970() {
        // The right sides are those of `date -u -d … +%s`.
        let check = |date: &str, expect: Option<i64>| assert_eq!(seconds(date), expect, "{date}");
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777));
        check("Tue, 29 Feb 2000 23:59:59 GMT", Some(951_868_799));
        check("Wed, 01 Mar 2000 00:00:00 GMT", Some(951_868_800));
        check("Sat, 31 Dec 2050 12:00:00 GMT", Some(2_556_100_800));
        check("Sun, 06 Nov 1994 08:49:37 CET", None);
        check("Sun, 06 Nov 1994 25:49:37 GMT", None);
        check("Sunday, 06-Nov-94 08:49:37 GMT", None);
        check("soon", None);
    }

    #[test]
    fn seconds_or_a_date_against_the_servers_own() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let check = |value: &str, date: Option<&str>, expect: Option<u64>| {
            assert_eq!(wait(value, date), expect.map(Duration::from_secs), "{value}");
        };
        check("7", None, Some(7));
        check("0", None, Some(0));
        check("-3", None, Some(0));
        check("nan", None, Some(0));
        check("Sun, 06 Nov 1994 08:50:37 GMT", Some(date), Some(60));
        check("Sun, 06 Nov 1994 08:40:37 GMT", Some(date), Some(0));
        check("Sun, 06 Nov 1994 08:50:37 GMT", None, None);
        check("later", Some(date), None);
        assert_eq!(wait("1.5", None), Some(Duration::from_millis(1_500)));
        assert_eq!(wait("1e300", None), None);
    }
}
