//! The statements of a `.sql` file by their names: each stands below a line `-- name`.

/// A statement that the file has; a misspelt name gives a statement that every engine refuses.
pub fn named<'a>(file: &'a str, name: &str) -> &'a str {
    let mut rest = file;
    while let Some(start) = rest.find("-- ") {
        let line = rest.get(start + 3..).unwrap_or_default();
        let (title, body) = line.split_once('\n').unwrap_or((line, ""));
        if title == name {
            return body.split("\n\n--").next().unwrap_or(body).trim();
        }
        rest = body;
    }
    "there is no such statement"
}
