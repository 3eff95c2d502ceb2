//! PostgreSQL types and Arrow: the text and the binary form of every value.
//! Must not know: rooms on higher floors.

mod abbreviations;
mod binary;
mod builtin;
mod calendar;
mod canonical;
mod copy_text;
mod encoder;
mod encoding;
mod format;
mod forms;
#[cfg(test)]
mod golden;
mod held_text;
mod input;
mod numeric;
mod own;
mod params;
mod pg_type;
mod read;
mod read_decimal;
mod receive;
mod record;
mod storage;
mod text;
mod type_names;
mod zone;
mod zone_rule;

pub use self::binary::binary_encoder;
pub use self::copy_text::{CopyForm, CopyText, FieldStyle};
pub use self::encoder::ColumnEncoder;
pub use self::encoding::Encoding;
pub use self::format::{
    ByteaOutput, DateFormat, DateOrder, DateStyle, FormatOptions, IntervalStyle, parse_extra_float_digits,
};
pub use self::held_text::shown_otherwise;
pub(crate) use self::input::array::{ArrayText, Dimension, parse_array};
pub(crate) use self::input::json::{
    JsonPart, JsonStep, JsonTree, json_at, json_elements, json_kind, json_length, json_part, json_scalar, json_string,
};
pub use self::numeric::Numeric;
pub use self::own::{Own, OwnForm, OwnKind, OwnType, of_source};
pub use self::params::{Param, decode_param, text_to_array};
pub use self::pg_type::{PgType, TypeRow, builtin_types};
pub use self::read::{ColumnBuilder, binary_readable};
pub use self::record::named_oid;
pub use self::storage::{
    Comparable, META_OID, META_TYPMOD, comparable, field, ignores_trailing_blanks, is_system_column, is_text_form,
    pg_type_of, storage, system_column,
};
pub(crate) use self::text::json::json_encoder;
pub use self::text::{row_text, text_encoder};
pub use self::zone::TimeZone;
pub use self::zone_rule::ZoneRule;
