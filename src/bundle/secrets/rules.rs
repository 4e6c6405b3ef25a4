//! What a secret looks like. The forms are those that the issuers document; a rule's keywords decide
//! where its pattern is tried at all.

/// How much of the text around a keyword a pattern may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The keyword's line.
    Line,
    /// The keyword's line and what follows: keys that fill lines of their own.
    Block,
}

/// Where a rule is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// The form alone is proof: every file, also binary ones.
    Anywhere,
    /// A guess from a name and a value: text that people write, no lock files or generated text.
    WrittenText,
    /// Only where values stand without quotes: settings, environment, shell.
    Settings,
}

/// One kind of secret.
#[derive(Debug)]
pub struct Rule {
    pub id: &'static str,
    /// Lower case; at least one stands in every match, whatever its case.
    pub keywords: &'static [&'static str],
    /// The group `s` is the secret itself; without it the whole match is.
    pub pattern: &'static str,
    /// Least Shannon entropy of the secret, in bits per character.
    pub entropy: f64,
    pub reach: Reach,
    pub place: Where,
    /// Whether a match begins with the keyword, and that with a new word.
    pub begins_with_keyword: bool,
}

/// A token that its own form gives away, from its first characters on.
const fn token(id: &'static str, keywords: &'static [&'static str], pattern: &'static str) -> Rule {
    Rule { begins_with_keyword: true, ..form(id, keywords, pattern) }
}

/// A text that its own form gives away, somewhere around the keyword.
const fn form(id: &'static str, keywords: &'static [&'static str], pattern: &'static str) -> Rule {
    Rule { place: Where::Anywhere, ..guess(id, keywords, pattern, 3.0) }
}

/// A value whose form says little, next to a name that says what it is.
const fn named(id: &'static str, keywords: &'static [&'static str], pattern: &'static str) -> Rule {
    guess(id, keywords, pattern, 3.2)
}

const fn guess(id: &'static str, keywords: &'static [&'static str], pattern: &'static str, entropy: f64) -> Rule {
    Rule { id, keywords, pattern, entropy, reach: Reach::Line, place: Where::WrittenText, begins_with_keyword: false }
}

const fn block(id: &'static str, keywords: &'static [&'static str], pattern: &'static str, entropy: f64) -> Rule {
    Rule { reach: Reach::Block, entropy, ..form(id, keywords, pattern) }
}

/// Between a name and its value: `=`, `:`, `=>`, `":"`, a call's bracket.
macro_rules! assigned {
    ($name:literal, $value:literal) => {
        concat!(
            "(?i:",
            $name,
            r#")[a-zA-Z0-9_.\-]{0,20}["'\]]{0,2}[ \t]{0,4}(?:=>|:=|=|:|,|\()[ \t]{0,4}["'`]?(?P<s>"#,
            $value,
            r#")(?:["'`\s,;)]|$)"#
        )
    };
}

/// Most specific first: of two rules that find the same text the first names it.
pub const RULES: &[Rule] = &[
    // Private keys.
    block(
        "private-key",
        &["private key-----", "private key block-----"],
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?P<s>(?:\s|\\r|\\n|[A-Za-z0-9+/=:,-]|\([a-z]+\)){64,})",
        3.5,
    ),
    block(
        "ssh2-private-key",
        &["ssh2 encrypted private key"],
        r"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----(?P<s>[\sA-Za-z0-9+/=:,-]{64,})",
        3.5,
    ),
    block("putty-private-key", &["private-lines:"], r"Private-Lines: \d+\s+(?P<s>[A-Za-z0-9+/=\s]{40,})", 3.5),
    token("age-secret-key", &["age-secret-key-1"], r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    form("wireguard-private-key", &["privatekey"], r"(?m)^\s*PrivateKey\s*=\s*(?P<s>[A-Za-z0-9+/]{43}=)"),
    form("jwk-private-key", &["\"kty\""], r#""d"\s*:\s*"(?P<s>[A-Za-z0-9_-]{40,})""#),
    // Clouds.
    token("aws-access-key-id", &["akia", "asia", "abia", "acca"], r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?-u:\b)"),
    named(
        "aws-secret-access-key",
        &["aws", "secret_access_key", "secretaccesskey"],
        assigned!("aws[a-z_.\\- ]{0,20}(?:secret|key)|secret_?access_?key", "[A-Za-z0-9/+]{40}"),
    ),
    token("aws-bedrock-key", &["absk"], r"ABSK[A-Za-z0-9+/]{100,}={0,2}"),
    token("google-api-key", &["aiza"], r"AIza[A-Za-z0-9_-]{35}"),
    token("google-oauth-secret", &["gocspx-"], r"GOCSPX-[A-Za-z0-9_-]{28}"),
    token("google-oauth-token", &["ya29."], r"ya29\.[A-Za-z0-9_-]{30,}"),
    named("azure-storage-key", &["accountkey"], r"(?i:AccountKey)\s*[=:]\s*(?P<s>[A-Za-z0-9+/]{86}==)"),
    form("azure-client-secret", &["q~"], r"(?-u:\b)[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}"),
    named("azure-shared-access", &["sig="], r"[?&]sig=(?P<s>[A-Za-z0-9%+/]{40,}(?:%3D|=))"),
    named("azure-service-bus", &["sharedaccesskey"], r"SharedAccessKey=(?P<s>[A-Za-z0-9+/]{42,44}=)"),
    token("digitalocean-token", &["dop_v1_", "doo_v1_", "dor_v1_"], r"do[opr]_v1_[a-f0-9]{64}"),
    token("alibaba-access-key", &["ltai"], r"LTAI[A-Za-z0-9]{17,21}(?-u:\b)"),
    named(
        "alibaba-secret",
        &["aliyun", "alibaba"],
        assigned!("(?:aliyun|alibaba)[a-z_.\\-]{0,20}(?:secret|key)", "[A-Za-z0-9]{30}"),
    ),
    token("tencent-secret-id", &["akid"], r"AKID[A-Za-z0-9]{32}(?-u:\b)"),
    named(
        "cloudflare-token",
        &["cloudflare", "cf_api", "cf-api"],
        assigned!("cloudflare[a-z_.\\-]{0,20}|cf[_-]api[a-z_.\\-]{0,12}", "(?:[A-Za-z0-9_-]{40}|[a-f0-9]{37})"),
    ),
    token("cloudflare-origin-key", &["v1.0-"], r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}"),
    token("heroku-key", &["hrku-"], r"HRKU-[A-Za-z0-9_-]{36,}"),
    named(
        "heroku-uuid-key",
        &["heroku"],
        assigned!("heroku[a-z_.\\-]{0,20}", "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    ),
    token("fly-token", &["fo1_", "fm1_", "fm2_"], r"(?:fo1_[A-Za-z0-9_-]{43}|fm[12]_[A-Za-z0-9+/=_-]{100,})"),
    token("vercel-token", &["vercel_", "vcp_"], r"(?:vercel_[A-Za-z0-9_]{24,}|vcp_[A-Za-z0-9]{40,})"),
    token("netlify-token", &["nfp_"], r"nfp_[A-Za-z0-9]{36,40}"),
    token("databricks-token", &["dapi"], r"dapi[a-f0-9]{32}(?:-\d)?(?-u:\b)"),
    token("planetscale-token", &["pscale_"], r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,64}"),
    token("supabase-token", &["sbp_", "sb_secret_"], r"(?:sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{24,})"),
    token("mongodb-atlas-secret", &["mdb_sa_sk_"], r"mdb_sa_sk_[A-Za-z0-9_-]{36,}"),
    // Providers of models.
    token("anthropic-key", &["sk-ant-"], r"sk-ant-[a-z0-9]{3,8}-[A-Za-z0-9_-]{60,}"),
    form(
        "openai-key",
        &["t3blbkfj", "sk-proj-", "sk-svcacct-", "sk-admin-"],
        r"(?-u:\b)sk-(?:(?:proj|svcacct|admin|None)-)?[A-Za-z0-9_-]{20,}(?:T3BlbkFJ[A-Za-z0-9_-]{20,}|[A-Za-z0-9_-]{20,})",
    ),
    token("openrouter-key", &["sk-or-"], r"sk-or-v1-[a-f0-9]{64}"),
    token("model-provider-key", &["sk-"], r"sk-(?:[a-f0-9]{32}|[A-Za-z0-9]{48})(?-u:\b)"),
    token("kimi-code-key", &["sk-kimi-"], r"sk-kimi-[A-Za-z0-9_-]{32,}"),
    guess(
        "zhipu-glm-key",
        &["zhipu", "glm", "bigmodel", "z_ai", "zai_"],
        r"(?-u:\b)(?P<s>[a-f0-9]{32}\.[A-Za-z0-9]{16})(?-u:\b)",
        3.5,
    ),
    token("hugging-face-token", &["hf_", "api_org_"], r"(?:hf|api_org)_[A-Za-z]{34}(?-u:\b)"),
    token("replicate-token", &["r8_"], r"r8_[A-Za-z0-9]{37}(?-u:\b)"),
    token("groq-key", &["gsk_"], r"gsk_[A-Za-z0-9]{52}(?-u:\b)"),
    token("perplexity-key", &["pplx-"], r"pplx-[A-Za-z0-9]{48}(?-u:\b)"),
    token("xai-key", &["xai-"], r"xai-[A-Za-z0-9]{70,}"),
    token("fireworks-key", &["fw_"], r"fw_[A-Za-z0-9]{22,24}(?-u:\b)"),
    token("langsmith-key", &["lsv2_"], r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}"),
    token("pinecone-key", &["pcsk_"], r"pcsk_[A-Za-z0-9]{5,6}_[A-Za-z0-9]{50,}"),
    token("nvidia-key", &["nvapi-"], r"nvapi-[A-Za-z0-9_-]{60,}"),
    named(
        "named-model-key",
        &["cohere", "mistral", "moonshot", "kimi", "together", "dashscope", "deepseek", "minimax"],
        assigned!(
            "(?:cohere|mistral|moonshot|kimi|together|dashscope|deepseek|minimax)[a-z_.\\-]{0,12}(?:key|token|secret)",
            "[A-Za-z0-9_.\\-]{32,}"
        ),
    ),
    // Forges, registries, builds.
    token("github-token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], r"gh[pousr]_[A-Za-z0-9]{36,}"),
    token("github-fine-grained-token", &["github_pat_"], r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    token(
        "gitlab-token",
        &["glpat-", "gldt-", "glrt-", "glft-", "glsoat-", "glcbt-", "glptt-", "glimt-", "glagent-"],
        r"gl(?:pat|dt|rt|ft|soat|cbt|ptt|imt|agent)-[A-Za-z0-9_.-]{20,}",
    ),
    token(
        "bitbucket-token",
        &["atbb", "atctt3", "atatt3"],
        r"(?:ATBB[A-Za-z0-9]{28,}|AT(?:CT|AT)T3[A-Za-z0-9_=-]{60,})",
    ),
    token("npm-token", &["npm_"], r"npm_[A-Za-z0-9]{36}(?-u:\b)"),
    form(
        "npm-registry-auth",
        &["_authtoken", "_auth", "_password"],
        r"(?-u:[:/])_(?:authToken|auth|password)\s*=\s*(?P<s>[A-Za-z0-9+/=_-]{16,})",
    ),
    token("pypi-token", &["pypi-age"], r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    token("crates-io-token", &["cio"], r"cio[A-Za-z0-9]{32}(?-u:\b)"),
    token("rubygems-key", &["rubygems_"], r"rubygems_[a-f0-9]{48}"),
    token("nuget-key", &["oy2"], r"oy2[a-z0-9]{43}(?-u:\b)"),
    token("docker-token", &["dckr_pat_", "dckr_oat_"], r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}"),
    form("docker-registry-auth", &["\"auth\""], r#""auth"\s*:\s*"(?P<s>[A-Za-z0-9+/]{20,}={0,2})""#),
    token("circleci-token", &["ccipat_", "cciprj_"], r"cci(?:pat|prj)_[A-Za-z0-9]{22}_[a-f0-9]{40}"),
    token("buildkite-token", &["bkua_"], r"bkua_[a-f0-9]{40}"),
    token("sonar-token", &["sqp_", "sqa_", "squ_"], r"sq[pau]_[a-f0-9]{40}(?-u:\b)"),
    token("artifactory-token", &["akcp"], r"AKCp[A-Za-z0-9]{69}(?-u:\b)"),
    token("jfrog-reference-token", &["cmvmdgtu"], r"cmVmdGtu[A-Za-z0-9]{56}(?-u:\b)"),
    // Secrets managers and infrastructure.
    token("vault-token", &["hvs.", "hvb.", "hvr."], r"hv[sbr]\.[A-Za-z0-9_-]{24,}"),
    form("terraform-cloud-token", &[".atlasv1."], r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    token("pulumi-token", &["pul-"], r"pul-[a-f0-9]{40}(?-u:\b)"),
    token(
        "doppler-token",
        &["dp.pt.", "dp.st.", "dp.sa.", "dp.ct."],
        r"dp\.(?:pt|st|sa|ct)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}(?-u:\b)",
    ),
    token("onepassword-token", &["ops_eyj"], r"ops_eyJ[A-Za-z0-9+/_-]{200,}={0,2}"),
    token(
        "onepassword-secret-key",
        &["a3-"],
        r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}(?-u:\b)",
    ),
    token("tailscale-key", &["tskey-"], r"tskey-[a-z]+-[A-Za-z0-9]{8,}-[A-Za-z0-9]{20,}"),
    named(
        "kubernetes-client-key",
        &["client-key-data"],
        r#"client-key-data["']?\s*:\s*["']?(?P<s>[A-Za-z0-9+/]{60,}={0,2})"#,
    ),
    // Watching.
    token(
        "grafana-token",
        &["glsa_", "glc_eyj"],
        r"(?:glsa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8}|glc_eyJ[A-Za-z0-9+/]{32,}={0,2})",
    ),
    token(
        "new-relic-key",
        &["nrak-", "nrjs-", "nrii-", "nraa-"],
        r"(?:NRAK-[A-Z0-9]{27}|NRJS-[a-f0-9]{19}|NR(?:II|AA)-[A-Za-z0-9_-]{20,32})",
    ),
    token("sentry-token", &["sntrys_", "sntryu_"], r"(?:sntryu_[a-f0-9]{64}|sntrys_eyJ[A-Za-z0-9+/=_-]{60,})"),
    named(
        "datadog-key",
        &["datadog", "dd_api", "dd-api", "dd_app"],
        assigned!("datadog[a-z_.\\-]{0,20}|dd[_-](?:api|app)[a-z_.\\-]{0,12}", "(?:[a-f0-9]{40}|[a-f0-9]{32})"),
    ),
    token("dynatrace-token", &["dt0c01.", "dt0s0"], r"dt0[a-z]\d{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    named(
        "pagerduty-key",
        &["pagerduty", "pd_api"],
        assigned!("pagerduty[a-z_.\\-]{0,20}|pd_api[a-z_.\\-]{0,12}", "(?:u\\+)?[A-Za-z0-9_-]{18,32}"),
    ),
    // Talking to people.
    token(
        "slack-token",
        &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe", "xapp-", "xoxc-", "xoxd-"],
        r"(?:xox[abprscd]-[A-Za-z0-9-]{20,}|xoxe(?:\.xox[bp])?-\d-[A-Za-z0-9]{100,}|xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{32,})",
    ),
    token(
        "slack-webhook",
        &["hooks.slack.com"],
        r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<s>[A-Za-z0-9+/_-]{40,})",
    ),
    form(
        "discord-webhook",
        &["/api/webhooks/"],
        r"discord(?:app)?\.com/api/webhooks/(?P<s>\d{17,20}/[A-Za-z0-9_-]{60,})",
    ),
    form(
        "discord-bot-token",
        &["discord", "bot"],
        r"(?-u:\b)(?P<s>[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38})(?-u:\b)",
    ),
    form("telegram-bot-token", &[":aa"], r"(?-u:\b)\d{8,10}:AA[A-Za-z0-9_-]{33}(?-u:\b)"),
    token(
        "teams-webhook",
        &["webhook.office.com"],
        r"webhook\.office\.com/webhookb2/(?P<s>[A-Za-z0-9-]{36}@[A-Za-z0-9-]{36}/IncomingWebhook/[a-f0-9]{32}/[A-Za-z0-9-]{36})",
    ),
    token("sendgrid-key", &["sg."], r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    token("mailgun-key", &["key-"], r"key-[a-f0-9]{32}(?-u:\b)"),
    form("mailchimp-key", &["-us"], r"(?-u:\b)[a-f0-9]{32}-us\d{1,2}(?-u:\b)"),
    token("brevo-key", &["xkeysib-"], r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    token("resend-key", &["re_"], r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}(?-u:\b)"),
    token("twilio-key", &["sk"], r"SK[a-f0-9]{32}(?-u:\b)"),
    named("twilio-auth-token", &["twilio"], assigned!("twilio[a-z_.\\-]{0,20}", "[a-f0-9]{32}")),
    // Money and shops.
    token(
        "stripe-key",
        &["sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_"],
        r"(?:(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{32,}={0,2})",
    ),
    token(
        "square-token",
        &["sq0atp-", "sq0csp-", "eaaa"],
        r"(?:sq0atp-[A-Za-z0-9_-]{22}|sq0csp-[A-Za-z0-9_-]{43}|EAAA[A-Za-z0-9_-]{60})(?-u:\b)",
    ),
    token("shopify-token", &["shpat_", "shpca_", "shppa_", "shpss_"], r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    token("paypal-token", &["access_token$"], r"access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32}"),
    token(
        "plaid-token",
        &["access-sandbox-", "access-development-", "access-production-"],
        r"access-(?:sandbox|development|production)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    ),
    // Tools of teams.
    token("atlassian-token", &["atatt"], r"ATATT3[A-Za-z0-9_=-]{60,}"),
    token("linear-key", &["lin_api_", "lin_oauth_"], r"lin_(?:api|oauth)_[A-Za-z0-9]{40,64}"),
    token("notion-token", &["ntn_", "secret_"], r"(?:ntn_[A-Za-z0-9]{40,50}|secret_[A-Za-z0-9]{43})(?-u:\b)"),
    token("airtable-token", &["pat"], r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}(?-u:\b)"),
    form("asana-token", &["asana"], r"(?-u:\b)[12]/\d{14,20}(?:/\d{14,20})?:[a-f0-9]{32}(?-u:\b)"),
    token("figma-token", &["figd_"], r"figd_[A-Za-z0-9_-]{38,}"),
    token("postman-key", &["pmak-"], r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    token("dropbox-token", &["sl."], r"sl\.(?:u\.)?[A-Za-z0-9_-]{130,}"),
    token("facebook-token", &["eaa"], r"EAA[A-Za-z0-9]{90,}"),
    token("twitter-bearer", &["aaaaaaaaaaaaaaaaaaaaaa"], r"A{22}[A-Za-z0-9%]{80,}"),
    token("typeform-token", &["tfp_"], r"tfp_[A-Za-z0-9_.=-]{59}"),
    token("readme-key", &["rdme_"], r"rdme_[a-z0-9]{70}(?-u:\b)"),
    named("algolia-key", &["algolia"], assigned!("algolia[a-z_.\\-]{0,20}", "[a-f0-9]{32}")),
    // Forms that many systems share.
    Rule {
        id: "password-in-url",
        keywords: &["://"],
        pattern: r#"(?-u:\b)[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s/:@"'`<>(){}\[\]]{0,80}:(?P<s>[^\s/:@"'`<>(){}\[\]$]{3,120})@[A-Za-z0-9\[_-]"#,
        entropy: 2.0,
        reach: Reach::Line,
        place: Where::WrittenText,
        begins_with_keyword: false,
    },
    guess("json-web-token", &["eyj"], r"(?-u:\b)eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}", 4.0),
    guess(
        "authorization-header",
        &["authorization", "bearer "],
        r#"(?i:authorization["'\]]{0,2}\s*[:=,]\s*["'`]?(?:bearer|token)|-H\s*["'][^"']{0,40}bearer|["'`]bearer)\s+(?P<s>[A-Za-z0-9_.+/~-]{24,}={0,2})"#,
        3.5,
    ),
    guess(
        "basic-authorization",
        &["basic "],
        r#"(?i:authorization["'\]]{0,2}\s*[:=,]\s*["'`]?basic)\s+(?P<s>[A-Za-z0-9+/]{12,}={0,2})"#,
        3.0,
    ),
    guess(
        "connection-string-password",
        &["password=", "pwd="],
        r"(?i:(?:server|host|data source|user id|uid|user|username|database)=[^;\n]{1,200};[^\n]{0,300}?(?:password|pwd)=)(?P<s>[^;\s\x22'<>{}$]{6,100})",
        2.5,
    ),
    guess(
        "netrc-password",
        &["machine "],
        r"(?m)(?:^|\s)machine\s+\S+\s+login\s+\S+\s+password\s+(?P<s>\S{6,100})",
        2.5,
    ),
    guess(
        "curl-user-password",
        &["curl"],
        r#"curl\s[^\n]{0,200}?(?:-u|--user)[ =]["']?[^\s:"'$]{1,60}:(?P<s>[^\s"'$<>{}]{6,100})"#,
        2.5,
    ),
    guess(
        "environment-secret",
        &[
            "secret",
            "password",
            "passwd",
            "token",
            "api_key",
            "apikey",
            "access_key",
            "private_key",
            "passphrase",
            "credential",
            "auth_key",
            "encryption_key",
            "signing_key",
        ],
        r"(?m)^[ \t]{0,8}(?:(?:export|-|-e)[ \t]+)?(?:(?:ENV|ARG|set|setx)[ \t]+[A-Z0-9_]{0,40}?(?:SECRET|PASSWORD|PASSWD|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|PASSPHRASE|CREDENTIALS?|AUTH_?KEY|ENCRYPTION_?KEY|SIGNING_?KEY)[A-Z0-9_]{0,20}(?:[ \t]*=[ \t]*|[ \t]+)|(?:[A-Z][A-Z0-9_]{0,40}?)?(?:SECRET|PASSWORD|PASSWD|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|PASSPHRASE|CREDENTIALS?|AUTH_?KEY|ENCRYPTION_?KEY|SIGNING_?KEY)[A-Z0-9_]{0,20}[ \t]*[=:][ \t]*)(?P<s>[A-Za-z0-9+/=_@!#%^&*~.,:?-]{8,200})[ \t]*(?:#.*)?\r?$",
        2.8,
    ),
    Rule {
        id: "secret-in-settings",
        keywords: &[
            "secret",
            "password",
            "passwd",
            "token",
            "api_key",
            "apikey",
            "api-key",
            "access_key",
            "private_key",
            "passphrase",
            "credential",
            "auth_key",
        ],
        pattern: r#"(?im)^[ \t]*(?:-[ \t]+)?["']?[a-z0-9_.-]{0,40}?(?:secret|password|passwd|token|api[_-]?key|access[_-]?key|private[_-]?key|passphrase|credentials?|auth[_-]?key)[a-z0-9_.-]{0,20}["']?[ \t]*[=:][ \t]*["']?(?P<s>[A-Za-z0-9+/=_@!#%^&*~.,?-]{8,200})["']?[ \t]*,?[ \t]*(?:#.*)?\r?$"#,
        entropy: 2.8,
        reach: Reach::Line,
        place: Where::Settings,
        begins_with_keyword: false,
    },
    guess(
        "secret-in-code",
        &[
            "secret",
            "password",
            "passwd",
            "token",
            "api_key",
            "apikey",
            "api-key",
            "access_key",
            "accesskey",
            "private_key",
            "privatekey",
            "passphrase",
            "credential",
            "auth_key",
            "authkey",
            "encryption_key",
            "signing_key",
            "client_key",
            "master_key",
            "session_key",
            "encryptionkey",
            "signingkey",
            "clientkey",
            "masterkey",
            "sessionkey",
        ],
        r#"(?i)(?-u:\b)[a-z0-9_.-]{0,40}?(?:secret|password|passwd|token|api[_-]?key|access[_-]?key|private[_-]?key|passphrase|credential|auth[_-]?key|(?:encryption|signing|client|master|session)[_-]?key)[a-z0-9_.-]{0,20}["'\]]{0,2}(?:[ \t]*:[ \t]*&?[a-z':<> ]{2,24})?[ \t]*(?:=>|:=|==?|:|\()[ \t]*[brf]?["'`](?P<s>[^\s"'`<>{}()\[\]$\\]{10,200})["'`]"#,
        3.6,
    ),
];
