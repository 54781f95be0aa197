//! Paths of files as URIs, and back (RFC 8089).

use std::fmt::Write;
use std::path::{Path, PathBuf};

use lsp_types::Uri;

/// The path of a `file:` URI. What an editor has not saved yet has none.
pub(super) fn path_of(uri: &Uri) -> Option<PathBuf> {
    let is_file = uri.scheme().is_some_and(|scheme| scheme.eq_lowercase("file"));
    let path = is_file.then(|| uri.path().as_estr().decode().into_string())?.ok()?;
    Some(PathBuf::from(path.into_owned()))
}

/// The `file:` URI of an absolute path.
pub(super) fn uri_of(path: &Path) -> Option<Uri> {
    let path = path.is_absolute().then(|| path.to_str())??;
    let mut text = String::from("file://");
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            byte => write!(text, "%{byte:02X}").ok()?,
        }
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back() {
        for path in ["/a/b.cell", "/with space/σ%#?.cell", "/"] {
            let uri = uri_of(Path::new(path)).expect("it is absolute");
            assert_eq!(path_of(&uri), Some(PathBuf::from(path)), "{}", uri.as_str());
        }
        let uri = uri_of(Path::new("/with space/σ.cell")).expect("it is absolute");
        assert_eq!(uri.as_str(), "file:///with%20space/%CF%83.cell");
        assert_eq!(uri_of(Path::new("b.cell")), None);
    }

    #[test]
    fn what_is_no_file_has_no_path() {
        for (uri, path) in
            [("untitled:Untitled-1", None), ("http://a/b", None), ("FILE:///a%2Db", Some("/a-b"))]
        {
            let uri: Uri = uri.parse().expect("it is a URI");
            assert_eq!(path_of(&uri), path.map(PathBuf::from));
        }
    }
}
