//! `docs/cells`: the pages are what the command prints. `UPDATE_EXPECT=1` writes them anew.

use std::path::{Path, PathBuf};

use expect_test::expect_file;

use crate::support::cellc;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cells")
}

#[test]
fn pages_are_up_to_date() {
    let index = cellc("cells --markdown").exits(0);
    expect_file![folder().join("README.md")].assert_eq(&index.stdout);
    for entry in cellc_cells::all() {
        let page = cellc(&format!("cells {} --markdown", entry.name)).exits(0);
        expect_file![folder().join(format!("{}.md", entry.name))].assert_eq(&page.stdout);
        assert!(index.stdout.contains(&format!("]({}.md)", entry.name)), "{}", entry.name);
    }
}

#[test]
fn there_is_no_page_of_what_is_not_in_the_catalogue() {
    for file in std::fs::read_dir(folder()).expect("the folder is there") {
        let name = file.expect("it can be read").file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(".md")).expect("a page");
        let is_known = name == "README" || cellc_cells::find(name).is_some();
        assert!(is_known, "docs/cells/{name}.md is the page of no cell: remove it");
    }
}
