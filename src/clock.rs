//! When a report says it was written: `--generated-at`, else SOURCE_DATE_EPOCH, else now. The
//! first two make runs byte-identical.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::error::{Error, Result};

/// RFC 3339, seconds, UTC.
///
/// # Errors
/// The argument or the variable is no time.
pub fn generated_at(argument: Option<&str>, source_date_epoch: Option<&str>) -> Result<String> {
    let time: DateTime<Utc> = match (argument, source_date_epoch) {
        (Some(text), _) => DateTime::parse_from_rfc3339(text)
            .map_err(|_| {
                Error::new(format!("--generated-at {text:?} is not a time")).help("write it like 2025-11-18T12:00:00Z")
            })?
            .with_timezone(&Utc),
        (None, Some(text)) => text
            .trim()
            .parse()
            .ok()
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .ok_or_else(|| Error::new(format!("SOURCE_DATE_EPOCH {text:?} is not a number of seconds")))?,
        (None, None) => Utc::now(),
    };
    Ok(time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_wins_over_the_variable() {
        assert_eq!(generated_at(Some("2025-11-18T13:00:00+01:00"), Some("0")).unwrap(), "2025-11-18T12:00:00Z");
        assert_eq!(generated_at(None, Some("1763467200")).unwrap(), "2025-11-18T12:00:00Z");
        assert!(generated_at(Some("noon"), None).is_err());
        assert!(generated_at(None, Some("noon")).is_err());
    }
}
