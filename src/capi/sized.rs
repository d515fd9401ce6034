//! Structs of the caller's that the library fills: they begin with their size and grow at the end only, by the
//! kernel's own rule for such structs.

use std::ptr;

/// A struct that begins with `uint32_t size`.
///
/// # Safety
/// The type is repr(C), its first field is that size, and `set_size` writes it.
pub(super) unsafe trait Sized32: Copy {
    fn set_size(&mut self, size: u32);
}

/// An out-parameter of the caller's, checked once at the start of a call.
#[derive(Clone, Copy)]
pub(super) struct Out<T> {
    to: *mut T,
    size: u32,
}

impl<T: Sized32> Out<T> {
    /// None: the caller's struct is smaller than any published layout, so it can't be one.
    ///
    /// # Safety
    /// `to` is NULL or points to a struct of the size that stands in it; 0 stands for the first published layout.
    pub unsafe fn new(to: *mut T) -> Option<Out<T>> {
        if to.is_null() {
            return Some(Out { to, size: 0 });
        }
        // SAFETY: the caller promised at least the first field.
        let size = unsafe { to.cast::<u32>().read() };
        (size == 0 || size as usize >= size_of::<T>()).then_some(Out { to, size })
    }

    /// Writes the struct, and zeroes to what a later header declared beyond it. NULL: nothing.
    pub fn fill(self, mut value: T) {
        if self.to.is_null() {
            return;
        }
        value.set_size(self.size);
        let known = size_of::<T>();
        // SAFETY: `new` saw that the caller's struct has at least the bytes of this layout (a size of 0 says so by
        // the header), and any bytes beyond are inside `size`.
        unsafe {
            self.to.write(value);
            if let Some(beyond) = (self.size as usize).checked_sub(known) {
                ptr::write_bytes(self.to.cast::<u8>().add(known), 0, beyond);
            }
        }
    }
}
