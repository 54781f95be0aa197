//! `cellc fmt`

use std::fs::read_to_string;

use crate::support::{Folder, cellc};

const UNTIDY: &str = "cell a(N){ // σ\ninput x:[N];output y=x}\n";
const TIDY: &str = "cell a(N) {  // σ\n    input x: [N]\n    output y = x\n}\n";

#[test]
fn files_are_formatted_in_place() {
    let folder = Folder::new();
    let paths = [folder.file("untidy.cell", UNTIDY), folder.file("tidy.cell", TIDY)];
    let outcome = folder.cellc("fmt --check untidy.cell tidy.cell").exits(1);
    assert_eq!(outcome.stdout, "untidy.cell\n");
    assert_eq!(read_to_string(&paths[0]).expect("it is there"), UNTIDY);
    folder.cellc("fmt untidy.cell tidy.cell").exits(0);
    for path in paths {
        assert_eq!(read_to_string(path).expect("it is there"), TIDY);
    }
    folder.cellc("fmt --check untidy.cell tidy.cell").exits(0);
}

#[test]
fn standard_input_is_formatted_to_standard_output() {
    let folder = Folder::new();
    assert_eq!(folder.cellc_fed("fmt -", UNTIDY).exits(0).stdout, TIDY);
    assert_eq!(folder.cellc_fed("fmt --check -", TIDY).exits(0).stdout, "");
    assert_eq!(folder.cellc_fed("fmt --check -", UNTIDY).exits(1).stdout, "-\n");
    let outcome = folder.cellc_fed("fmt -", "cell a(N) {").exits(2);
    assert_eq!(outcome.says(&["error: ", "--> -:1:"]).stdout, "");
}

#[test]
fn a_file_with_faults_stays_and_the_others_are_formatted() {
    let folder = Folder::new();
    let faulty = "cell a(N) {\n  input x:[N]\n  output y = x +\n}\n";
    let paths = [folder.file("faulty.cell", faulty), folder.file("untidy.cell", UNTIDY)];
    folder
        .cellc("fmt faulty.cell none.cell untidy.cell")
        .exits(2)
        .says(&["faulty.cell:3", "cannot read `none.cell`"]);
    assert_eq!(read_to_string(&paths[0]).expect("it is there"), faulty);
    assert_eq!(read_to_string(&paths[1]).expect("it is there"), TIDY);
    cellc("fmt").exits(2).says(&["<FILE>"]);
}
