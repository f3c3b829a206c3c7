//! Texts in and out without the copies and calls that pgrx's own conversions make: a context is read in the place where
//! Postgres keeps it, and a label found in it is copied once, into the result.

use crate::convert::report;
use cotaste_core::Error;
use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::{pg_sys, varlena, IntoDatum};
use std::borrow::Cow;
use std::ffi::CString;
use std::sync::OnceLock;

/// A text argument that is not NULL.
#[derive(Clone, Copy)]
pub struct Text<'a>(&'a str);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
    }
}

impl<'a> Text<'a> {
    /// The text as long as the call's arguments live, longer than a borrow of `self`.
    pub const fn get(self) -> &'a str {
        self.0
    }
}

// SAFETY: declared as text or a domain over it in SQL, so a datum that is not NULL points to a varlena.
unsafe impl<'fcx> ArgAbi<'fcx> for Text<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: see above; what is neither plain nor short is unpacked into memory that lives as long as the call.
        let bytes = unsafe {
            let datum = arg.unbox_arg_using_from_datum::<pg_sys::Datum>();
            let value = datum.unwrap_or_else(|| report(&Error::internal())).cast_mut_ptr::<pg_sys::varlena>();
            let is_plain = varlena::varatt_is_4b_u(value);
            let is_short = varlena::varatt_is_1b(value) && !varlena::varatt_is_1b_e(value);
            let value = if is_plain || is_short { value } else { pg_sys::pg_detoast_datum_packed(value) };
            varlena::varlena_to_byte_slice(value)
        };
        if is_utf8() {
            // SAFETY: Postgres checks every text of a UTF-8 database when it comes in.
            return Self(unsafe { std::str::from_utf8_unchecked(bytes) });
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if text.is_ascii() => Self(text),
            _ => report(&Error::init("texts beyond ASCII need a database with encoding UTF8")),
        }
    }
}

/// Of the database this process belongs to, which never changes.
fn is_utf8() -> bool {
    static IS_UTF8: OnceLock<bool> = OnceLock::new();
    // SAFETY: reads a setting of the process.
    *IS_UTF8.get_or_init(|| unsafe { pg_sys::GetDatabaseEncoding() } == pg_sys::pg_enc::PG_UTF8 as i32)
}

/// A text result that may borrow from an argument.
pub struct Label<'a>(pub Cow<'a, str>);

// SAFETY: the text is copied into memory of the call.
unsafe impl BoxRet for Label<'_> {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        // SAFETY: as for `&str`.
        unsafe { BoxRet::box_into(&*self.0, fcinfo) }
    }
}

/// A jsonb result.
pub struct Jsonb(pg_sys::Datum);

impl Jsonb {
    /// Has Postgres read the text, which raises an ERROR when it cannot. The call is direct, because in a generated
    /// column a cast would have to be planned anew for every statement.
    pub fn read(text: &str) -> Option<Self> {
        let text = CString::new(text).ok()?;
        // SAFETY: jsonb_in takes one C string and returns a jsonb in the call's memory.
        unsafe { pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[text.as_c_str().into_datum()]) }.map(Self)
    }
}

// SAFETY: the datum is a jsonb in the call's memory.
unsafe impl BoxRet for Jsonb {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        // SAFETY: see above.
        unsafe { fcinfo.return_raw_datum(self.0) }
    }
}
