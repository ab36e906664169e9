//! Puts values into the places of a template, once: what is put in is never read as template.

/// Replaces each `{{name}}` by its value; a name without one becomes nothing.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut page =
        String::with_capacity(template.len() + values.iter().map(|(_, value)| value.len()).sum::<usize>());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        page.push_str(before);
        let value = values.iter().find(|(known, _)| *known == name);
        page.push_str(value.map_or("", |(_, value)| value));
        rest = after;
    }
    page.push_str(rest);
    page
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn values_are_put_in_once_and_never_read_as_template() {
        let values = [("a", "{{b}}"), ("b", "two")];
        assert_eq!(fill("1 {{a}} {{b}} {{c}} {{", &values), "1 {{b}} two  {{");
    }
}
