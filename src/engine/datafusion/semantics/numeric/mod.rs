//! Numeric in its three forms: 128-bit and 256-bit decimals of one scale, and text where each value has its own.
//! Must not know: SQL.
//!
//! A decimal form is used where the scale that PostgreSQL shows is known while planning; the results are exact in every form.

mod arithmetic;
mod forms;
mod rounding;
mod scales;

pub(super) use self::arithmetic::{binary, divide, divide_by_count, negate, remainder};
pub(super) use self::forms::{
    as_form, common_decimal, constant, literal, parts, reader, shrink_literal, texts, to_text_form, with_modifier,
};
pub(super) use self::rounding::{Rounding, round_to};
pub(super) use self::scales::{chosen, shown_at};
