//! Which of the things that can go wrong did the log live through?

use std::collections::BTreeMap;

use crate::config::Plan;
use crate::report::model::{ErrorScenario, Stage};

/// Scenarios, and parts of the names that exceptions have in them. Of two that fit the first counts: a timeout of a
/// connection is a timeout.
const SCENARIOS: [(&str, &[&str]); 5] = [
    ("file_not_found", &["filenotfound", "nosuchfile", "notfounderror", "enoent", "missingfile", "nosuchkey"]),
    (
        "permission",
        &[
            "permission",
            "accessdenied",
            "forbidden",
            "unauthorized",
            "eacces",
            "eperm",
            "authentication",
            "authorization",
        ],
    ),
    ("timeout", &["timeout", "timedout", "deadline", "etimedout"]),
    (
        "network",
        &[
            "connect",
            "network",
            "socket",
            "dns",
            "gaierror",
            "ssl",
            "brokenpipe",
            "protocolerror",
            "readerror",
            "writeerror",
            "unreachable",
            "proxyerror",
            "econn",
        ],
    ),
    (
        "provider",
        &[
            "provider",
            "apierror",
            "apistatus",
            "ratelimit",
            "quota",
            "overloaded",
            "serviceunavailable",
            "internalserver",
            "badgateway",
            "toomanyrequests",
            "httpstatus",
            "serverer",
            "badrequest",
            "modelerror",
        ],
    ),
];
const OTHER: &str = "other";

/// The five scenarios that end-to-end testing is to cover, seen or not; and what fits none of them, where there is any.
pub(super) fn error_scenarios(plan: &Plan, stages: &[Stage]) -> Vec<ErrorScenario> {
    let mut all: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for stage in stages {
        for (name, count) in &stage.groups.all.errors {
            all.entry(name).or_default().0 += count;
        }
        for (name, count) in &stage.groups.treated.errors {
            all.entry(name).or_default().1 += count;
        }
    }
    let unseen = |scenario: &str| ErrorScenario {
        scenario: scenario.into(),
        failures: 0,
        treated_failures: 0,
        error_types: BTreeMap::new(),
    };
    let names = SCENARIOS.iter().map(|(scenario, _)| *scenario).chain([OTHER]);
    let mut scenarios: Vec<ErrorScenario> = names.map(unseen).collect();
    for (name, (failures, treated)) in all {
        let of = classify(plan, name);
        if let Some(scenario) = scenarios.iter_mut().find(|scenario| scenario.scenario == of) {
            scenario.failures += failures;
            scenario.treated_failures += treated;
            scenario.error_types.insert(name.to_owned(), failures);
        }
    }
    scenarios.retain(|scenario| scenario.scenario != OTHER || scenario.failures > 0);
    scenarios
}

fn classify(plan: &Plan, error_type: &str) -> &'static str {
    if plan.analysis.timeout_errors.iter().any(|name| name == error_type) {
        return "timeout";
    }
    let plain: String = error_type.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    SCENARIOS
        .iter()
        .find(|(_, parts)| parts.iter().any(|part| plain.contains(part)))
        .map_or(OTHER, |(scenario, _)| scenario)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_of_the_usual_libraries_are_told_apart() {
        let plan = crate::config::parse("a.toml", "", Default::default()).unwrap();
        for (name, scenario) in [
            ("FileNotFoundError", "file_not_found"),
            ("builtins.PermissionError", "permission"),
            ("openai.AuthenticationError", "permission"),
            ("TimeoutError", "timeout"),
            ("httpx.ConnectTimeout", "timeout"),
            ("ConnectionResetError", "network"),
            ("httpx.ConnectError", "network"),
            ("ssl.SSLError", "network"),
            ("RateLimitError", "provider"),
            ("openai.InternalServerError", "provider"),
            ("ProviderError", "provider"),
            ("ValueError", "other"),
        ] {
            assert_eq!(classify(&plan, name), scenario, "{name}");
        }
    }
}
