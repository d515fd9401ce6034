//! C strings and arrays of them, owned once and shared cheaply between options and programs.

use std::ffi::{c_char, CStr, CString};
use std::fmt;
use std::sync::Arc;

/// A C string that costs nothing (static) or one counter (shared) to copy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Text {
    Static(&'static CStr),
    Shared(Arc<CStr>),
}

impl Text {
    pub fn as_cstr(&self) -> &CStr {
        match self {
            Text::Static(s) => s,
            Text::Shared(s) => s,
        }
    }

    pub fn as_ptr(&self) -> *const c_char {
        self.as_cstr().as_ptr()
    }

    pub fn to_bytes(&self) -> &[u8] {
        self.as_cstr().to_bytes()
    }

    /// Quoted for a message, which has room for 239 bytes: a long one is cut in the middle, where it says least.
    pub fn brief(&self) -> String {
        brief(self.as_cstr())
    }

    /// For bytes that the library made itself; what follows a NUL is cut off.
    pub fn from_bytes(bytes: &[u8]) -> Text {
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        let owned = CString::new(&bytes[..end]).unwrap_or_default();
        Text::Shared(Arc::from(owned))
    }
}

/// As [`Text::brief`].
pub(crate) fn brief(text: &CStr) -> String {
    const MOST: usize = 80;
    let quoted: Vec<char> = format!("{text:?}").chars().collect();
    if quoted.len() <= MOST {
        return quoted.into_iter().collect();
    }
    let (half, dots) = (MOST / 2 - 2, ['.'; 3]);
    let ends = [&quoted[..half], &dots, &quoted[quoted.len() - half..]];
    ends.concat().into_iter().collect()
}

impl From<&CStr> for Text {
    fn from(s: &CStr) -> Text {
        Text::Shared(Arc::from(s))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_cstr().fmt(f)
    }
}

/// An argv or envp: the strings, and the NULL-terminated pointer array that execve(2) takes.
pub(crate) struct StrArray {
    strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

// SAFETY: the pointers lead into `strings`, whose bytes live on the heap, belong to this value and
// are never changed after it is made; so any thread may read or free it.
unsafe impl Send for StrArray {}
// SAFETY: as above: it is immutable.
unsafe impl Sync for StrArray {}

impl StrArray {
    pub fn new(strings: Vec<CString>) -> StrArray {
        let pointers = strings
            .iter()
            .map(|s| s.as_ptr())
            .chain(std::iter::once(std::ptr::null()))
            .collect();
        StrArray { strings, pointers }
    }

    pub fn strings(&self) -> &[CString] {
        &self.strings
    }

    pub fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

impl Default for StrArray {
    fn default() -> Self {
        StrArray::new(Vec::new())
    }
}

impl fmt::Debug for StrArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.strings.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_would_leave_no_room_for_the_reason() {
        assert_eq!(brief(c"/a"), "\"/a\"");
        let long = CString::new("\u{e9}".repeat(200)).unwrap();
        let cut = brief(&long);
        assert_eq!(cut.chars().count(), 79);
        assert!(cut.starts_with('"') && cut.ends_with('"') && cut.contains("..."));
    }
}
