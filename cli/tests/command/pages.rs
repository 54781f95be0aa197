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

#[test]
fn the_stages_of_a_cell_are_what_is_printed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/passes.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let mut blocks = page.split("```").skip(1).step_by(2);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let cell = folder.path().join("gated.cell");
    std::fs::write(&cell, blocks.next().expect("the cell")).expect("it can be written");
    let stages = ["graph", "gradient", "loop", "kernels", "plan"].map(|stage| {
        let cell = cell.display();
        cellc(&format!("show {cell} --stage {stage} --dims I=3,H=4")).exits(0).stdout
    });
    // Parts of some of the stages are shown, each up to an empty line.
    let shown = blocks.flat_map(|block| block.trim_start_matches("text").split("\n\n"));
    let mut count = 0;
    for part in shown {
        let is_printed = stages.iter().any(|stage| stage.contains(part.trim()));
        assert!(is_printed, "docs/passes.md shows what is not printed any more:\n{part}");
        count += 1;
    }
    assert!(count >= 6, "{count} parts are shown");
}
