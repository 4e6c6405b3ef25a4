//! The templates of the pages, compiled in.

use std::sync::LazyLock;

use tera::{Context, Kwargs, State, Tera};

use super::escape::{html_with_code, markdown_code, markdown_text, markdown_with_code, one_line};

static TEMPLATES: LazyLock<Tera> = LazyLock::new(|| {
    let mut tera = Tera::default();
    tera.register_filter("md", |text: &str, _: Kwargs, _: &State| markdown_text(text));
    // To be followed by `safe`: it escapes by itself.
    tera.register_filter("spans", |text: &str, _: Kwargs, _: &State| html_with_code(text));
    tera.register_filter("md_spans", |text: &str, _: Kwargs, _: &State| markdown_with_code(text));
    tera.register_filter("code", |text: &str, _: Kwargs, _: &State| markdown_code(text));
    tera.register_filter("line", |text: &str, _: Kwargs, _: &State| one_line(text));
    tera.register_filter("json", |text: &str, _: Kwargs, _: &State| serde_json::Value::from(text).to_string());
    tera.add_raw_templates([
        ("diff.html", include_str!("../../templates/diff.html.tera")),
        ("style.css", include_str!("../../templates/style.css")),
        ("parts/change_points.html", include_str!("../../templates/parts/change_points.html.tera")),
        ("parts/change_points.md", include_str!("../../templates/parts/change_points.md.tera")),
        ("parts/chart.html", include_str!("../../templates/parts/chart.html.tera")),
        ("parts/comparisons.html", include_str!("../../templates/parts/comparisons.html.tera")),
        ("parts/comparisons.md", include_str!("../../templates/parts/comparisons.md.tera")),
        ("parts/completion.html", include_str!("../../templates/parts/completion.html.tera")),
        ("parts/completion.md", include_str!("../../templates/parts/completion.md.tera")),
        ("parts/criteria.html", include_str!("../../templates/parts/criteria.html.tera")),
        ("parts/criteria.md", include_str!("../../templates/parts/criteria.md.tera")),
        ("parts/decision.html", include_str!("../../templates/parts/decision.html.tera")),
        ("parts/decision.md", include_str!("../../templates/parts/decision.md.tera")),
        ("parts/error_scenarios.html", include_str!("../../templates/parts/error_scenarios.html.tera")),
        ("parts/error_scenarios.md", include_str!("../../templates/parts/error_scenarios.md.tera")),
        ("parts/errors.html", include_str!("../../templates/parts/errors.html.tera")),
        ("parts/figures.html", include_str!("../../templates/parts/figures.html.tera")),
        ("parts/figures.md", include_str!("../../templates/parts/figures.md.tera")),
        ("parts/headlines.html", include_str!("../../templates/parts/headlines.html.tera")),
        ("parts/headlines.md", include_str!("../../templates/parts/headlines.md.tera")),
        ("parts/improvements.html", include_str!("../../templates/parts/improvements.html.tera")),
        ("parts/improvements.md", include_str!("../../templates/parts/improvements.md.tera")),
        ("parts/inputs.html", include_str!("../../templates/parts/inputs.html.tera")),
        ("parts/inputs.md", include_str!("../../templates/parts/inputs.md.tera")),
        ("parts/attempts.html", include_str!("../../templates/parts/attempts.html.tera")),
        ("parts/attempts.md", include_str!("../../templates/parts/attempts.md.tera")),
        ("parts/intention_to_treat.html", include_str!("../../templates/parts/intention_to_treat.html.tera")),
        ("parts/intention_to_treat.md", include_str!("../../templates/parts/intention_to_treat.md.tera")),
        ("parts/method.html", include_str!("../../templates/parts/method.html.tera")),
        ("parts/method.md", include_str!("../../templates/parts/method.md.tera")),
        ("parts/notes.html", include_str!("../../templates/parts/notes.html.tera")),
        ("parts/notes.md", include_str!("../../templates/parts/notes.md.tera")),
        ("parts/quality.html", include_str!("../../templates/parts/quality.html.tera")),
        ("parts/quality.md", include_str!("../../templates/parts/quality.md.tera")),
        ("parts/regressions.html", include_str!("../../templates/parts/regressions.html.tera")),
        ("parts/regressions.md", include_str!("../../templates/parts/regressions.md.tera")),
        ("parts/sign.html", include_str!("../../templates/parts/sign.html.tera")),
        ("parts/stages.html", include_str!("../../templates/parts/stages.html.tera")),
        ("parts/stages.md", include_str!("../../templates/parts/stages.md.tera")),
        ("parts/tests.html", include_str!("../../templates/parts/tests.html.tera")),
        ("parts/tests.md", include_str!("../../templates/parts/tests.md.tera")),
        ("parts/timeline.html", include_str!("../../templates/parts/timeline.html.tera")),
        ("parts/triggers.html", include_str!("../../templates/parts/triggers.html.tera")),
        ("parts/triggers.md", include_str!("../../templates/parts/triggers.md.tera")),
        ("parts/validation.html", include_str!("../../templates/parts/validation.html.tera")),
        ("parts/validation.md", include_str!("../../templates/parts/validation.md.tera")),
        ("parts/fallbacks.html", include_str!("../../templates/parts/fallbacks.html.tera")),
        ("parts/left_out.html", include_str!("../../templates/parts/left_out.html.tera")),
        ("parts/left_out.md", include_str!("../../templates/parts/left_out.md.tera")),
        ("parts/variants.html", include_str!("../../templates/parts/variants.html.tera")),
        ("parts/variants.md", include_str!("../../templates/parts/variants.md.tera")),
        ("check.md", include_str!("../../templates/check.md.tera")),
        ("status.html", include_str!("../../templates/status.html.tera")),
        ("report.html", include_str!("../../templates/report.html.tera")),
        ("report.md", include_str!("../../templates/report.md.tera")),
        ("request.md", include_str!("../../templates/request.md.tera")),
    ])
    .expect("the templates are part of the program");
    tera
});

/// A template, filled from a view.
///
/// # Panics
/// When the template does not fit the view: a bug, caught by the tests.
pub(super) fn render(template: &str, view: &impl serde::Serialize) -> String {
    let context = Context::from_serialize(view).expect("a view has only string keys");
    TEMPLATES.render(template, &context).unwrap_or_else(|error| panic!("{template} does not fit the view: {error}"))
}
