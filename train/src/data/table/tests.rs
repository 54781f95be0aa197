use std::io::Write;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// A file of these bytes.
fn file(name: &str, bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn ask(column: &str, kind: Kind) -> Ask {
    Ask::new(column, kind)
}

fn read_with(
    name: &str,
    bytes: impl AsRef<[u8]>,
    options: Options,
    asked: &[Ask],
) -> Result<Vec<Row>, String> {
    let (_folder, path) = file(name, bytes);
    let table = Table::open_with(&path, options);
    let rows = table.and_then(|table| table.rows(asked)?.collect());
    rows.map_err(|error| error.to_string().replace(path.to_str().unwrap(), "FILE"))
}

fn read(name: &str, bytes: impl AsRef<[u8]>, asked: &[Ask]) -> Result<Vec<Row>, String> {
    read_with(name, bytes, Options::default(), asked)
}

fn texts(name: &str, bytes: impl AsRef<[u8]>, columns: &[&str]) -> Result<Vec<String>, String> {
    let asked: Vec<_> = columns.iter().map(|column| ask(column, Kind::Text)).collect();
    let joined = |row: Row| {
        let texts: Vec<_> = row.values.iter().map(|value| value.text().unwrap()).collect();
        format!("{}: {}", row.number, texts.join("|"))
    };
    Ok(read(name, bytes, &asked)?.into_iter().map(joined).collect())
}

/// The numbers of one column.
fn numbers(name: &str, bytes: impl AsRef<[u8]>, missing: Missing) -> Result<Vec<f64>, String> {
    let asked = Ask { missing, ..ask("x", Kind::Number) };
    let rows = read(name, bytes, &[asked])?;
    Ok(rows.iter().map(|row| row.values[0].number().unwrap()).collect())
}

/// The lists of numbers of one column, and the widths of their items.
fn lists(
    name: &str,
    bytes: impl AsRef<[u8]>,
    column: &str,
) -> Result<Vec<(Vec<f64>, usize)>, String> {
    let rows = read(name, bytes, &[ask(column, Kind::Numbers)])?;
    let list = |row: &Row| {
        let (values, width) = row.values[0].numbers().unwrap();
        (values.to_vec(), width)
    };
    Ok(rows.iter().map(list).collect())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn separated_fields_are_read_as_they_are_quoted() {
    let csv = "id,text,label\r\n1,\"a, \"\"b\"\"\",pos\r\n2,\"c\nd\",neg\r\n3,e,pos\r\n";
    let expected = ["2: a, \"b\"|pos", "3: c\nd|neg", "5: e|pos"];
    assert_eq!(texts("a.csv", csv, &["text", "label"]).unwrap(), expected);
    assert_eq!(texts("a.csv", gzip(csv.as_bytes()), &["2", "3"]).unwrap(), expected);
    assert_eq!(texts("a.CSV.gz", gzip(csv.as_bytes()), &["text", "3"]).unwrap(), expected);
    let tsv = "label\ttext\npos\t\" a \" b\nneg\t\"say \"\"no\"\"\"\n";
    let expected = ["2: pos|\" a \" b", "3: neg|say \"no\""];
    assert_eq!(texts("a.tsv", tsv, &["label", "text"]).unwrap(), expected);
    assert_eq!(texts("a.csv", "\u{feff}a;b\n1,5;c\n", &["a", "b"]).unwrap(), ["2: 1,5|c"]);
}

#[test]
fn a_first_line_with_a_number_is_no_header() {
    assert_eq!(texts("a.csv", "0.5,a\n1,b\n", &["1", "2"]).unwrap(), ["1: 0.5|a", "2: 1|b"]);
    let header = |header| Options { header: Some(header), ..Options::default() };
    let asked = [ask("1990", Kind::Number)];
    let rows = read_with("a.csv", "x,1990\na,7\n", header(true), &asked).unwrap();
    assert_eq!(rows[0].values, [Value::Number(7.0)]);
    let rows = read_with("a.csv", "x,y\na,b\n", header(false), &[ask("2", Kind::Text)]).unwrap();
    assert_eq!(rows.len(), 2);
}

#[test]
fn json_lines_hold_texts_numbers_and_lists() {
    let json = "{\"text\": \"a\\nb\", \"label\": 1}\n\n{\"label\": true, \"text\": \"c\"}\n";
    assert_eq!(texts("a.jsonl", json, &["text", "label"]).unwrap(), ["1: a\nb|1", "3: c|true"]);
    let json = "{\"x\": [1, 2.5]}\n{\"x\": [[1, 2], [3, 4]]}\n{\"x\": 7}\n{\"x\": \"8 9\"}\n";
    let expected =
        [(vec![1.0, 2.5], 1), (vec![1.0, 2.0, 3.0, 4.0], 2), (vec![7.0], 1), (vec![8.0, 9.0], 1)];
    assert_eq!(lists("a.ndjson", json, "x").unwrap(), expected);
}

#[test]
fn texts_of_lists_are_taken_apart() {
    let csv = "words,x\na b  c,1 2 3\n\"[\"\"a b\"\", \"\"c\"\"]\",\"[4, 5]\"\n";
    assert_eq!(lists("a.csv", csv, "x").unwrap(), [(vec![1.0, 2.0, 3.0], 1), (vec![4.0, 5.0], 1)]);
    let rows = read("a.csv", csv, &[ask("words", Kind::Texts)]).unwrap();
    let words: Vec<_> = rows.iter().map(|row| row.values[0].texts().unwrap()).collect();
    assert_eq!(words, [&["a", "b", "c"][..], &["a b", "c"]]);
}

#[test]
fn columns_may_be_asked_for_twice_and_in_any_order() {
    let two = [ask("b", Kind::Number), ask("a", Kind::Text), ask("b", Kind::Text)];
    let expected = [Value::Number(2.0), Value::Text("1".into()), Value::Text("2".into())];
    assert_eq!(read("a.csv", "a,b\n1,2\n", &two).unwrap()[0].values, expected);
    assert_eq!(read("a.jsonl", "{\"a\": 1, \"b\": 2}", &two).unwrap()[0].values, expected);
    let asked = [ask("x", Kind::Number), ask("text", Kind::Text), ask("x", Kind::Text)];
    let rows = read("a.parquet", include_bytes!("fixtures/none.parquet"), &asked);
    assert!(rows.unwrap_err().starts_with("FILE, row 2: `x` is empty"));
}

#[test]
fn missing_numbers_are_refused_kept_or_carried_forward() {
    let csv = "x,y\n1,\n,\nNA,\n4,\n";
    assert_eq!(numbers("a.csv", csv, Missing::Error).unwrap_err(), "FILE:3: `x` is empty");
    assert_eq!(
        numbers("a.csv", "x,y\nNA,\n", Missing::Error).unwrap_err(),
        "FILE:2: `x` is missing: `NA`"
    );
    let kept = numbers("a.csv", csv, Missing::Nan).unwrap();
    assert!(kept[0] == 1.0 && kept[1].is_nan() && kept[2].is_nan() && kept[3] == 4.0);
    assert_eq!(numbers("a.csv", csv, Missing::Forward).unwrap(), [1.0, 1.0, 1.0, 4.0]);
    assert_eq!(
        numbers("a.csv", "x,y\n,\n", Missing::Forward).unwrap_err(),
        "FILE:2: `x` is missing, and no row before has a value to carry forward"
    );
    let json = "{\"x\": [1, null, 3]}\n";
    let list = |missing, json: &str| {
        let rows = read("a.jsonl", json, &[Ask { missing, ..ask("x", Kind::Numbers) }])?;
        Ok::<_, String>(rows[0].values[0].numbers().unwrap().0.to_vec())
    };
    assert_eq!(list(Missing::Error, json).unwrap_err(), "FILE:1: `x` has a missing value (item 2)");
    assert!(list(Missing::Nan, json).unwrap()[1].is_nan());
    assert_eq!(list(Missing::Forward, json).unwrap(), [1.0, 1.0, 3.0]);
    let steps = "{\"x\": [[1, 2], [null, 3]]}";
    assert_eq!(list(Missing::Forward, steps).unwrap(), [1.0, 2.0, 1.0, 3.0]);
    assert_eq!(
        list(Missing::Forward, "{\"x\": [null]}").unwrap_err(),
        "FILE:1: `x` has a missing value, and none before it to carry forward (item 1)"
    );
}

#[test]
fn what_is_no_number_is_shown() {
    let refused = |cell: &str| numbers("a.csv", format!("x,y\n1,\n{cell},\n"), Missing::Nan);
    assert_eq!(refused("abc").unwrap_err(), "FILE:3: `x` is `abc`, not a number");
    assert_eq!(
        refused("\"1,5\"").unwrap_err(),
        "FILE:3: `x` is `1,5`, not a number; decimals are written with a point"
    );
    for infinite in ["inf", "-Infinity", "1e999"] {
        let expected = format!("FILE:3: `x` is `{infinite}`, not finite");
        assert_eq!(refused(infinite).unwrap_err(), expected);
    }
    assert_eq!(
        refused(&"ä".repeat(50)).unwrap_err(),
        format!("FILE:3: `x` is `{}..`, not a number", "ä".repeat(40))
    );
    let json = |value: &str, kind| {
        read("a.jsonl", format!("{{\"x\": {value}}}"), &[ask("x", kind)]).unwrap_err()
    };
    assert_eq!(json("[1]", Kind::Number), "FILE:1: `x` is a list, not a number");
    assert_eq!(json("{\"y\": 1}", Kind::Text), "FILE:1: `x` is an object, not a text");
    assert_eq!(json("[1]", Kind::Text), "FILE:1: `x` is a list, not a text");
    assert_eq!(json("1", Kind::Texts), "FILE:1: `x` is `1`, not a list of texts");
    assert_eq!(json("[[1]]", Kind::Texts), "FILE:1: `x` is a list, not a text (item 1)");
    assert_eq!(json("null", Kind::Text), "FILE:1: `x` is empty");
    assert_eq!(
        json("{\"y\": 1}", Kind::Numbers),
        "FILE:1: `x` is an object, not a list of numbers"
    );
    assert_eq!(json("[1, \"b\"]", Kind::Numbers), "FILE:1: `x` is `b`, not a number (item 2)");
    assert_eq!(
        json("[[1, 2], [3]]", Kind::Numbers),
        "FILE:1: `x` has 1 numbers in item 2 and 2 in others"
    );
    assert_eq!(
        json("\"[1, 2\"", Kind::Numbers),
        "FILE:1: `x` is `[1, 2`, which begins as a JSON array but is none"
    );
}

#[test]
fn faults_of_text_files_name_the_line_and_the_mend() {
    let fault = |name: &str, bytes: &[u8]| texts(name, bytes, &["text"]).unwrap_err();
    for empty in ["a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.npy", "a.npz"] {
        assert_eq!(fault(empty, b""), "FILE: the file is empty");
    }
    for blank in ["a.csv", "a.tsv", "a.jsonl"] {
        assert_eq!(fault(blank, b" \n\n"), "FILE: the file is empty");
    }
    assert_eq!(fault("a.csv", b"text,label\n"), "FILE: there are columns but no row");
    assert_eq!(texts("a.csv", "text,label\na,b\n", &["text"]).unwrap(), ["2: a"]);
    assert_eq!(
        fault("a.txt", b"a"),
        "FILE: the ending says no format; name the file .csv, .tsv, .jsonl (or each of these with \
         .gz behind), .parquet, .npy or .npz"
    );
    assert_eq!(
        fault("a.csv", b"sentence,label\na,b\n"),
        "FILE: there is no column `text`; the columns are `sentence`, `label` (the first line is \
         read as their names; say `task.header=false` if it is a row, and give columns by their \
         numbers)"
    );
    assert_eq!(
        fault("a.csv", b"Text,1990\na,b\n"),
        "FILE: there is no column `text`; the columns are `1`, `2` (the first line is read as a row \
         since `1990` is a number; say `task.header=true` if it names the columns)"
    );
    assert_eq!(
        fault("a.jsonl", b"{\"Text\": 1}"),
        "FILE: there is no column `text` (did you mean `Text`?); the columns are `Text`"
    );
    assert_eq!(
        fault("a.csv", b"text,x,text\n"),
        "FILE: 2 columns are called `text`; give the number of one: 1, 3"
    );
    assert_eq!(
        fault("a.csv", b"text,label\na,b\nc, d,e\n"),
        "FILE:3: found 3 columns where the first line has 2; is a separator missing or a quote never \
         closed, or is there one too many in a text without quotes?"
    );
    assert_eq!(fault("a.csv", b"text,label\na,b\n ,c\n"), "FILE:3: `text` is empty");
    assert!(fault("a.csv", b"text,label\na\xff,b\n").starts_with("FILE:2: the text is not UTF-8"));
    assert!(fault("a.csv", b"\xff\xfet\0").starts_with("FILE: the text is UTF-16"));
    assert_eq!(fault("a.jsonl", b"[1]\n"), "FILE:1: a line must be a JSON object");
    assert_eq!(
        fault("a.jsonl", b"{\"text\": \"a\"}\n{\"text\": }\n"),
        "FILE:2: this is not JSON: expected value (column 10)"
    );
    assert_eq!(
        fault("a.jsonl", b"{\"text\": \"a\"}\n{\"body\": 1}\n"),
        "FILE:2: there is no `text`; the columns here are `body`"
    );
    let missing = Table::open(Path::new("not/there.csv")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read not/there.csv: "), "{missing}");
    let folder = tempfile::tempdir().unwrap();
    let fault = Table::open(folder.path()).unwrap_err().to_string();
    assert!(fault.ends_with(": this is a folder; name a file in it"), "{fault}");
}

#[test]
fn a_long_list_of_columns_is_cut() {
    let header = (0..30).map(|i| format!("c{i}")).collect::<Vec<_>>().join(",");
    let fault = texts("a.csv", header, &["nothing"]).unwrap_err();
    assert!(fault.contains("`c19`, .. (30 in all)"), "{fault}");
}

#[test]
fn rows_end_after_an_error() {
    let (_folder, path) = file("a.csv", "x,y\n1,a\nb,c\n2,d\n");
    let mut rows = Table::open(&path).unwrap().rows(&[ask("x", Kind::Number)]).unwrap();
    assert!(rows.next().unwrap().is_ok() && rows.next().unwrap().is_err() && rows.next().is_none());
}

#[test]
fn parquet_of_other_writers_is_read_whatever_compresses_it() {
    for bytes in [
        &include_bytes!("fixtures/snappy.parquet")[..],
        include_bytes!("fixtures/zstd.parquet"),
        include_bytes!("fixtures/lz4.parquet"),
        include_bytes!("fixtures/gzip.parquet"),
        include_bytes!("fixtures/none.parquet"),
    ] {
        let found = texts("a.parquet", bytes, &["text", "label", "time", "day", "good"]).unwrap();
        assert_eq!(
            found,
            [
                "1: first|1|1970-01-01 00:00:00|2024-02-29|true",
                "2: second, Größe|0|2023-11-14 22:13:20.5|2024-02-29|false",
                "3: third|1|1970-01-02 00:00:00|2024-02-29|true",
            ]
        );
        assert_eq!(numbers("a.pq", bytes, Missing::Forward).unwrap(), [0.5, 0.5, -2.25]);
        assert_eq!(
            numbers("a.pq", bytes, Missing::Error).unwrap_err(),
            "FILE, row 2: `x` is empty"
        );
        let series = [(vec![1.0, 2.0, 3.0], 1), (vec![4.0], 1), (vec![5.0, 6.0], 1)];
        assert_eq!(lists("a.pq", bytes, "series").unwrap(), series);
        let steps = [(vec![1.0, 2.0, 3.0, 4.0], 2), (vec![5.0, 6.0], 2), (vec![7.0, 8.0], 2)];
        assert_eq!(lists("a.pq", bytes, "steps").unwrap(), steps);
        let words = read("a.pq", bytes, &[ask("words", Kind::Texts)]).unwrap();
        assert_eq!(words[0].values[0].texts().unwrap(), ["a", "b"]);
    }
    assert_eq!(
        texts("a.parquet", include_bytes!("fixtures/brotli.parquet"), &["text"]).unwrap_err(),
        "FILE: the file is compressed by Brotli, which cannot be read; write it with Snappy, \
         Zstandard, LZ4 or gzip"
    );
    let fault = texts("a.parquet", "PAR1, but no more", &["text"]).unwrap_err();
    assert!(fault.starts_with("FILE: this is no Parquet file: "), "{fault}");
    assert_eq!(
        texts("a.parquet", include_bytes!("fixtures/none.parquet"), &["txt"]).unwrap_err(),
        "FILE: there is no column `txt` (did you mean `text`?); the columns are `text`, `label`, `x`, \
         `series`, `steps`, `words`, `time`, `day`, `good`"
    );
}

#[test]
fn archives_of_numpy_are_tables_of_arrays() {
    for bytes in
        [&include_bytes!("fixtures/stored.npz")[..], include_bytes!("fixtures/deflated.npz")]
    {
        let (_folder, path) = file("a.npz", bytes);
        let table = Table::open(&path).unwrap();
        let columns = table.columns();
        assert_eq!((columns[0].name.as_str(), columns[0].rows), ("X", Some(3)));
        assert_eq!(
            (columns[1].shape.as_deref(), columns[2].shape.as_deref()),
            (Some(&[2, 2][..]), Some(&[][..]))
        );
        let rows = (0..3).map(|i| ((0..4).map(|k| f64::from(4 * i + k)).collect::<Vec<_>>(), i));
        let expected = |width| rows.clone().map(move |(row, _)| (row, width)).collect::<Vec<_>>();
        assert_eq!(lists("a.npz", bytes, "X").unwrap(), expected(1));
        assert_eq!(lists("a.npz", bytes, "steps").unwrap(), expected(2));
        assert_eq!(
            texts("a.npz", bytes, &["y", "names"]).unwrap(),
            ["1: 1|a", "2: 0|Größe", "3: 1|c"]
        );
        let time = Ask { missing: Missing::Nan, ..ask("time", Kind::Text) };
        let time = read("a.npz", bytes, &[time]).unwrap();
        let time: Vec<_> = time.iter().map(|row| row.values[0].text().unwrap()).collect();
        assert_eq!(time, ["2024-02-29 12:00:00", "", "1970-01-01 00:00:00"]);
        assert_eq!(
            read("a.npz", bytes, &[ask("X", Kind::Numbers), ask("short", Kind::Number)])
                .unwrap_err(),
            "FILE: `short`: it has 2 rows, but `X` has 3"
        );
        assert!(
            texts("a.npz", bytes, &["seed"]).unwrap_err().contains("there is no column `seed`")
        );
    }
    let fortran = lists("a.npz", include_bytes!("fixtures/stored.npz"), "fortran").unwrap();
    assert_eq!(fortran, lists("a.npz", include_bytes!("fixtures/stored.npz"), "steps").unwrap());
}

#[test]
fn arrays_of_numpy_are_tables_of_numbers() {
    let table = include_bytes!("fixtures/table.npy");
    let asked = [ask("2", Kind::Number), ask("1", Kind::Number)];
    assert_eq!(read("a.npy", table, &asked).unwrap_err(), "FILE, row 2: `2` is missing: `NaN`");
    let asked = asked.map(|ask| Ask { missing: Missing::Forward, ..ask });
    let found: Vec<_> = (read("a.npy", table, &asked).unwrap().iter())
        .map(|row| (row.values[0].number().unwrap(), row.values[1].number().unwrap()))
        .collect();
    assert_eq!(found, [(2.5, 1.0), (2.5, 3.0), (6.0, 5.0)]);
    let half = read("a.npy", include_bytes!("fixtures/half.npy"), &[ask("1", Kind::Number)]);
    let half: Vec<_> = half.unwrap().iter().map(|row| row.values[0].number().unwrap()).collect();
    assert_eq!(half, [1.5, -2.0, 65504.0]);
}

fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn faults_of_arrays_say_how_to_save_them() {
    let fault = |descr: &str, order: &str, shape: &str| {
        let header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}");
        read("a.npy", npy(&header, &[0; 16]), &[ask("1", Kind::Number)]).unwrap_err()
    };
    assert_eq!(
        fault("'|O'", "False", "(2,)"),
        "FILE: elements of the type `|O` cannot be read; save numbers or texts of fixed length"
    );
    assert_eq!(
        fault("[('a', '<f4')]", "False", "(2,)"),
        "FILE: the array has fields; save each as an array of its own in an .npz"
    );
    assert_eq!(
        fault("'<f4'", "False", "(9,)"),
        "FILE: the array has 103 bytes by its header, but 83 are there"
    );
    assert_eq!(fault("'<f4'", "False", "(9999999999, 9999999999)"), "FILE: the array is too large");
    assert_eq!(fault("'<f4'", "False", "(0,)"), "FILE: there are columns but no row");
    assert_eq!(fault("'<f4'", "False", "()"), "FILE: this is a single value, not an array of rows");
    assert_eq!(
        fault("'<f4'", "Maybe", "(1,)"),
        "FILE: `fortran_order` of the header is neither True nor False"
    );
    assert_eq!(
        read("a.npy", "not an array", &[ask("1", Kind::Number)]).unwrap_err(),
        "FILE: this is no array of NumPy"
    );
    assert!(
        read("a.npz", "not a zip at all", &[ask("1", Kind::Number)])
            .unwrap_err()
            .starts_with("FILE: this is no archive of NumPy: ")
    );
    let compressed = |shape: &str| {
        let header = format!("{{'descr': '<f4', 'fortran_order': True, 'shape': {shape}, }}");
        read("a.npy", npy(&header, &[0; 16]), &[ask("1", Kind::Number)]).unwrap().len()
    };
    assert_eq!((compressed("(2, 2)"), compressed("(4,)")), (2, 4));
}

/// Reads everything there is, whatever it is read as; errors are fine, and panics are not.
fn devour(path: &Path) {
    for kind in [Kind::Text, Kind::Numbers] {
        let Ok(table) = Table::open(path) else { return };
        let asked: Vec<_> = (1..=table.columns().len())
            .map(|number| Ask { missing: Missing::Nan, ..ask(&number.to_string(), kind) })
            .collect();
        for asked in asked.iter().take(20) {
            let Ok(rows) = table.rows(std::slice::from_ref(asked)) else { continue };
            for row in rows.take(1000) {
                let _ = row.map_err(|error| error.to_string());
            }
        }
    }
}

/// Files that are cut off anywhere, and files of which any bytes are others.
fn devour_broken(name: &str, whole: &[u8], cases: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    for case in 0..cases {
        let mut bytes = whole.to_vec();
        match case % 3 {
            0 => bytes.truncate(rng.random_range(0..=whole.len())),
            1 => {
                for _ in 0..rng.random_range(1..4) {
                    let at = rng.random_range(0..whole.len());
                    bytes[at] = rng.random();
                }
            }
            _ => {
                let head = rng.random_range(0..=whole.len().min(16));
                bytes.truncate(head);
                bytes.extend((0..rng.random_range(0..300)).map(|_| rng.random::<u8>()));
            }
        }
        std::fs::write(&path, &bytes).unwrap();
        devour(&path);
    }
}

#[test]
fn broken_text_files_are_errors() {
    let csv = "text,x,y\n\"a, \"\"b\"\"\",1,[1 2]\nb,2,3\n";
    devour_broken("a.csv", csv.as_bytes(), 600);
    devour_broken("a.tsv", csv.replace(',', "\t").as_bytes(), 600);
    devour_broken("a.jsonl", b"{\"a\": [1, [2]], \"b\": \"\\u00e4\"}\n{\"a\": null}\n", 600);
    devour_broken("a.csv.gz", &gzip(csv.repeat(20).as_bytes()), 600);
}

#[test]
fn broken_arrays_are_errors() {
    devour_broken("a.npy", include_bytes!("fixtures/table.npy"), 1000);
    devour_broken("a.npz", include_bytes!("fixtures/stored.npz"), 600);
    devour_broken("a.npz", include_bytes!("fixtures/deflated.npz"), 600);
}

#[test]
fn broken_parquet_files_are_errors() {
    devour_broken("a.parquet", include_bytes!("fixtures/snappy.parquet"), 600);
    devour_broken("a.parquet", include_bytes!("fixtures/zstd.parquet"), 600);
}
