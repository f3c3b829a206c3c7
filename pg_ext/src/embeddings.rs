//! Embeddings: arrays of single precision, read where Postgres keeps them; the functions and the aggregates over them.

use crate::convert::{report, OrReport};
use crate::state::{InAggregate, Kept};
use cotaste_core::embedding::learn::{check_dim, Interactions, Learned, View};
use cotaste_core::embedding::mean::Mean;
use cotaste_core::embedding::nearest::Nearest;
use cotaste_core::genre_order::Dimensions;
use cotaste_core::{block, embedding, posting, taste, Error, Result};
use pgrx::callconv::{Arg, ArgAbi};
use pgrx::prelude::*;
use pgrx::varlena;

#[cfg(target_endian = "big")]
compile_error!("embeddings are little-endian bytes, read in place");

/// A `real[]` argument; it is looked at only when it is asked for.
#[derive(Clone, Copy)]
struct Floats<'a>(pg_sys::Datum, std::marker::PhantomData<&'a [u8]>);

// SAFETY: declared as real[] in SQL, so a datum that is not NULL points to an array, as long as the call runs.
unsafe impl<'fcx> ArgAbi<'fcx> for Floats<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: see above.
        let datum = unsafe { arg.unbox_arg_using_from_datum::<pg_sys::Datum>() };
        Self(datum.unwrap_or_else(|| report(&Error::internal())), std::marker::PhantomData)
    }
}

impl<'a> Floats<'a> {
    /// The numbers as bytes; an error when they are not one list of numbers.
    fn bytes(self, argument: &'static str) -> Result<&'a [u8]> {
        // SAFETY: a valid array; one that is compressed, short or stored elsewhere is unpacked into memory of the call.
        // An array starts with its length, ndim, dataoffset and elemtype; then sizes and lower bounds, one each a dimension;
        // then, at a multiple of 8, the data, unless dataoffset says that a bitmap of NULLs comes first.
        unsafe {
            let value = self.0.cast_mut_ptr::<pg_sys::varlena>();
            let value = if varlena::varatt_is_4b_u(value) { value } else { pg_sys::pg_detoast_datum(value) };
            let array = &*value.cast::<pg_sys::ArrayType>();
            if array.elemtype != pg_sys::FLOAT4OID {
                return Err(Error::internal());
            }
            if array.dataoffset != 0 {
                return Err(Error::invalid(argument, "holds a NULL"));
            }
            if array.ndim == 0 {
                return Ok(&[]);
            }
            if array.ndim != 1 {
                return Err(Error::invalid(argument, format!("has {} dimensions, not one", array.ndim)));
            }
            let size = value.cast::<i32>().add(size_of::<pg_sys::ArrayType>() / 4).read();
            let length = usize::try_from(size).unwrap_or(0).saturating_mul(4);
            if length.saturating_add(ARRAY_HEAD) > varlena::varsize_4b(value) {
                return Err(Error::internal());
            }
            Ok(std::slice::from_raw_parts(value.cast::<u8>().add(ARRAY_HEAD), length))
        }
    }
}

/// The argument of type internal that Postgres wants a deserialising function to have: a null pointer that is not NULL.
struct Ignored;

// SAFETY: nothing is read.
unsafe impl<'fcx> ArgAbi<'fcx> for Ignored {
    unsafe fn unbox_arg_unchecked(_: Arg<'_, 'fcx>) -> Self {
        Self
    }
}

/// Bytes before the data of an array of one dimension without NULLs.
const ARRAY_HEAD: usize = 24;

fn array(embedding: &[u8]) -> Vec<f32> {
    embedding::numbers(embedding).collect()
}

fn checked(embedding: &[u8]) -> &[u8] {
    embedding::dim("embedding", embedding).or_report();
    embedding
}

fn doubles(argument: &'static str, numbers: &Array<f64>) -> Vec<u8> {
    let numbers = numbers.as_slice().map_err(|_| Error::invalid(argument, "holds a NULL"));
    numbers.and_then(|numbers| embedding::from_doubles(argument, numbers)).or_report()
}

#[pg_extern]
fn to_embedding(embedding: Floats<'_>) -> Vec<f32> {
    array(checked(embedding.bytes("embedding").or_report()))
}

#[pg_extern]
fn to_embedding_json(embedding: &str) -> Vec<f32> {
    array(&embedding::from_json("embedding", embedding).or_report())
}

#[pg_extern]
fn to_embedding_bytes(embedding: &[u8]) -> Vec<f32> {
    array(checked(embedding))
}

#[pg_extern]
fn to_embedding_double(embedding: Array<f64>) -> Vec<f32> {
    array(&doubles("embedding", &embedding))
}

#[pg_extern]
fn embedding_bytes(embedding: Floats<'_>) -> Vec<u8> {
    embedding.bytes("embedding").or_report().to_vec()
}

#[pg_extern]
fn embedding_json(embedding: Floats<'_>) -> String {
    embedding.bytes("embedding").and_then(embedding::to_json).or_report()
}

#[pg_extern]
fn embedding_similarity(a: Floats<'_>, b: Floats<'_>) -> Option<f64> {
    a.bytes("a").and_then(|a| embedding::similarity(a, b.bytes("b")?)).or_report()
}

#[pg_extern]
fn embedding_similarity_json(a: &str, b: &str) -> Option<f64> {
    let (a, b) = (embedding::from_json("a", a).or_report(), embedding::from_json("b", b).or_report());
    embedding::similarity(&a, &b).or_report()
}

#[pg_extern]
fn embedding_similarity_bytes(a: &[u8], b: &[u8]) -> Option<f64> {
    embedding::similarity(a, b).or_report()
}

#[pg_extern]
fn embedding_similarity_double(a: Array<f64>, b: Array<f64>) -> Option<f64> {
    embedding::similarity(&doubles("a", &a), &doubles("b", &b)).or_report()
}

#[pg_extern]
fn check_embedding(embedding: Floats<'_>, dim: i64) -> bool {
    embedding.bytes("embedding").and_then(|embedding| embedding::check(embedding, dim)).or_report();
    true
}

#[pg_extern]
fn check_model(model: &str) -> bool {
    embedding::check_model(model).or_report();
    true
}

// What contents have in common by the state, and a taste as a vector

#[pg_extern]
fn posting_length(users: &[u8]) -> i64 {
    posting::len(users).or_report().into()
}

#[pg_extern]
fn posting_bitmap(users: &[u8]) -> Vec<u8> {
    posting::bitmap(users).or_report()
}

#[pg_extern]
fn posting_shared(users: &[u8], members: &[u8]) -> i64 {
    posting::shared(users, members).or_report().into()
}

#[pg_extern]
fn block_touching(users: &[u8]) -> i64 {
    block::touching(users).or_report().into()
}

#[pg_extern]
fn taste_embedding(taste: &[u8], genres: &str) -> Option<String> {
    taste::unit_json(taste, genres).or_report()
}

#[pg_extern]
fn genre_dimensions_step(
    call: InAggregate,
    state: Option<Kept<Dimensions>>,
    genre_order: Option<&str>,
    taste: Option<&[u8]>,
) -> Kept<Dimensions> {
    let mut state = state.unwrap_or_else(|| Kept::keep(&call, Dimensions::default()));
    state.get().add(genre_order, taste).or_report();
    state
}

#[pg_extern]
fn genre_dimensions_final(state: Option<Kept<Dimensions>>) -> String {
    state.map_or(Ok("[]".into()), |mut state| state.get().json()).or_report()
}

// The nearest. States travel between parallel workers as bytes.

#[pg_extern]
fn nearest_contents_step(
    call: InAggregate,
    state: Option<Kept<Nearest>>,
    content_id: Option<i64>,
    embedding: Option<Floats<'_>>,
    probe: Option<Floats<'_>>,
    k: Option<i64>,
) -> Option<Kept<Nearest>> {
    let (Some(id), Some(embedding)) = (content_id, embedding) else { return state };
    let mut state = match (state, probe, k) {
        (Some(state), ..) => state,
        (None, Some(probe), Some(k)) => {
            let probe = probe.bytes("probe").or_report();
            Kept::keep(&call, Nearest::new(probe, usize::try_from(k).unwrap_or(0)).or_report())
        }
        _ => return None,
    };
    embedding.bytes("embedding").and_then(|embedding| state.get().add(id, embedding)).or_report();
    Some(state)
}

#[pg_extern]
fn nearest_contents_combine(
    _call: InAggregate,
    state: Option<Kept<Nearest>>,
    other: Option<Kept<Nearest>>,
) -> Option<Kept<Nearest>> {
    match (state, other) {
        (Some(mut state), Some(mut other)) => {
            state.get().merge(other.get()).or_report();
            Some(state)
        }
        (state, other) => state.or(other),
    }
}

#[pg_extern]
fn nearest_contents_serial(_call: InAggregate, mut state: Kept<Nearest>) -> Vec<u8> {
    state.get().to_bytes().or_report()
}

#[pg_extern]
fn nearest_contents_deserial(call: InAggregate, bytes: &[u8], _place: Ignored) -> Kept<Nearest> {
    Kept::keep(&call, Nearest::from_bytes(bytes).or_report())
}

#[pg_extern]
fn nearest_contents_final(state: Option<Kept<Nearest>>) -> String {
    state.map_or(Ok("[]".into()), |mut state| state.get().ids_json()).or_report()
}

#[pg_extern]
fn embedding_mean_step(
    call: InAggregate,
    state: Option<Kept<Mean>>,
    embedding: Option<Floats<'_>>,
) -> Option<Kept<Mean>> {
    let Some(embedding) = embedding else { return state };
    let mut state = state.unwrap_or_else(|| Kept::keep(&call, Mean::default()));
    embedding.bytes("embedding").and_then(|embedding| state.get().add(embedding)).or_report();
    Some(state)
}

#[pg_extern]
fn embedding_mean_combine(
    _call: InAggregate,
    state: Option<Kept<Mean>>,
    other: Option<Kept<Mean>>,
) -> Option<Kept<Mean>> {
    match (state, other) {
        (Some(mut state), Some(mut other)) => {
            state.get().merge(other.get()).or_report();
            Some(state)
        }
        (state, other) => state.or(other),
    }
}

#[pg_extern]
fn embedding_mean_serial(_call: InAggregate, mut state: Kept<Mean>) -> Vec<u8> {
    state.get().to_bytes().or_report()
}

#[pg_extern]
fn embedding_mean_deserial(call: InAggregate, bytes: &[u8], _place: Ignored) -> Kept<Mean> {
    Kept::keep(&call, Mean::from_bytes(bytes).or_report())
}

#[pg_extern]
fn embedding_mean_final(state: Option<Kept<Mean>>) -> Option<Vec<f32>> {
    Some(array(&state?.get().finish().or_report()?))
}

// Learning: the aggregates collect everybody's contents; the work is done at their end, where it can be cancelled.

struct Learning {
    interactions: Interactions,
    dim: usize,
    learned: Option<Learned>,
}

#[pg_extern]
fn learn_embeddings_step(
    call: InAggregate,
    state: Option<Kept<Learning>>,
    user_id: Option<&str>,
    taste: Option<&[u8]>,
    dim: i64,
) -> Kept<Learning> {
    let mut state = state.unwrap_or_else(|| {
        let dim = usize::try_from(dim).unwrap_or(0);
        check_dim(dim).or_report();
        Kept::keep(&call, Learning { interactions: Interactions::default(), dim, learned: None })
    });
    if let (Some(user), Some(taste)) = (user_id, taste) {
        state.get().interactions.add(user, taste).or_report();
    }
    state
}

#[pg_extern]
fn fold_in_embeddings_step(
    call: InAggregate,
    state: Option<Kept<Learning>>,
    user_id: Option<&str>,
    taste: Option<&[u8]>,
    learned: &[u8],
) -> Kept<Learning> {
    let mut state = state.unwrap_or_else(|| {
        let learned = Some(Learned::from_bytes(learned).or_report());
        Kept::keep(&call, Learning { interactions: Interactions::default(), dim: 0, learned })
    });
    if let (Some(user), Some(taste)) = (user_id, taste) {
        state.get().interactions.add(user, taste).or_report();
    }
    state
}

#[pg_extern]
fn learn_embeddings_final(state: Option<Kept<Learning>>) -> Option<Vec<u8>> {
    let mut state = state?;
    let learning = state.get();
    let interactions = std::mem::take(&mut learning.interactions);
    let mut tick = || {
        check_for_interrupts!();
        Ok(())
    };
    let learned = match &learning.learned {
        Some(learned) => interactions.fold_in(learned, &mut tick).map(Some),
        None => interactions.learn(learning.dim, &mut tick),
    };
    Some(learned.or_report()?.to_bytes().or_report())
}

#[pg_extern]
fn learned_contents(learned: &[u8]) -> Vec<i64> {
    View::read(learned).or_report().contents().collect()
}

#[pg_extern]
fn learned_fingerprint(learned: &[u8], content_id: i64) -> Option<i64> {
    View::read(learned).or_report().fingerprint(content_id)
}

#[pg_extern]
fn learned_embedding(learned: &[u8], content_id: i64) -> Option<Vec<f32>> {
    View::read(learned).or_report().embedding(content_id).map(array)
}
