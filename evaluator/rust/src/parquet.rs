//! Rows of a Parquet file as JSON text, some at a time.

use std::ffi::{c_char, OsStr};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::ptr;

use ::parquet::data_type::Decimal;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::reader::RowIter;
use ::parquet::record::{Field, Row};
use serde_json::{Map, Number, Value as Json};

use crate::ffi::{drop_boxed, guarded, guarded_text, items_of};

const MAX_ROWS: i64 = 50_000_000;
const MAX_DEPTH: u32 = 64;

pub struct ParquetReader {
    rows: RowIter<'static>,
    row: u64,
}

/// The parquet crate panics on some damaged files.
fn undamaged<T>(body: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| Err("the file is damaged".into()))
}

fn describe(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl ParquetReader {
    fn open(path: &Path, max_bytes: u64) -> Result<ParquetReader, String> {
        let file = File::open(path).map_err(describe)?;
        let file_bytes = file.metadata().map_err(describe)?.len();
        let reader = SerializedFileReader::new(file).map_err(describe)?;
        let metadata = reader.metadata();
        let rows = metadata.file_metadata().num_rows();
        if !(0..=MAX_ROWS).contains(&rows) {
            return Err(format!("{rows} rows, at most {MAX_ROWS} are read"));
        }
        let mut bytes = 0u64;
        for group in metadata.row_groups() {
            let size = u64::try_from(group.total_byte_size()).map_err(describe)?;
            let stored = u64::try_from(group.compressed_size()).map_err(describe)?;
            if stored > file_bytes {
                return Err("a row group is larger than the file".into());
            }
            bytes = bytes.saturating_add(size);
        }
        if bytes > max_bytes {
            return Err(format!("{bytes} bytes unpacked, at most {max_bytes} are read"));
        }
        Ok(ParquetReader { rows: RowIter::from_file_into(Box::new(reader)), row: 0 })
    }

    /// A JSON array of up to `count` rows; empty at the end.
    fn next(&mut self, count: usize) -> Result<String, String> {
        let mut rows = Vec::new();
        for row in self.rows.by_ref().take(count) {
            let row = row.map_err(describe).and_then(|row| object(&row, MAX_DEPTH));
            rows.push(row.map_err(|message| format!("row {}: {message}", self.row))?);
            self.row += 1;
        }
        Ok(Json::Array(rows).to_string())
    }
}

fn object(row: &Row, depth: u32) -> Result<Json, String> {
    let mut object = Map::new();
    for (name, field) in row.get_column_iter() {
        let value = json(field, depth).map_err(|message| format!("{name}: {message}"))?;
        object.insert(name.clone(), value);
    }
    Ok(Json::Object(object))
}

/// NaN and infinity have no JSON form.
fn float(value: f64) -> Json {
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

fn json(field: &Field, depth: u32) -> Result<Json, String> {
    if depth == 0 {
        return Err("nested too deeply".into());
    }
    Ok(match field {
        Field::Null => Json::Null,
        Field::Bool(value) => Json::Bool(*value),
        Field::Byte(value) => Json::from(*value),
        Field::Short(value) => Json::from(*value),
        Field::Int(value) => Json::from(*value),
        Field::Long(value) => Json::from(*value),
        Field::UByte(value) => Json::from(*value),
        Field::UShort(value) => Json::from(*value),
        Field::UInt(value) => Json::from(*value),
        Field::ULong(value) => Json::from(*value),
        Field::Float16(value) => float(value.to_f64()),
        Field::Float(value) => float(f64::from(*value)),
        Field::Double(value) => float(*value),
        Field::Decimal(value) => Json::String(decimal(value)),
        Field::Str(text) => Json::String(text.clone()),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Json::String(text.to_string()),
            Err(_) => return Err("holds bytes that are no text".into()),
        },
        Field::Date(days) => Json::String(date(i64::from(*days))),
        Field::TimeMillis(value) => Json::String(time(i64::from(*value) * 1000)),
        Field::TimeMicros(value) => Json::String(time(*value)),
        Field::TimestampMillis(value) => Json::String(timestamp(value.saturating_mul(1000))),
        Field::TimestampMicros(value) => Json::String(timestamp(*value)),
        Field::Group(row) => object(row, depth - 1)?,
        Field::ListInternal(list) => {
            Json::Array(list.elements().iter().map(|item| json(item, depth - 1)).collect::<Result<_, _>>()?)
        }
        Field::MapInternal(map) => {
            let mut object = Map::new();
            for (key, value) in map.entries() {
                let key = match json(key, depth - 1)? {
                    Json::String(text) => text,
                    other => other.to_string(),
                };
                object.insert(key, json(value, depth - 1)?);
            }
            Json::Object(object)
        }
    })
}

/// As Python's str(Decimal) without an exponent.
fn decimal(value: &Decimal) -> String {
    let bytes = value.data();
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    if bytes.len() > 16 {
        return "NaN".into();
    }
    let number = bytes.iter().fold(if negative { -1i128 } else { 0 }, |n, b| (n << 8) | i128::from(*b));
    let scale = usize::try_from(value.scale()).unwrap_or(0).min(64);
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    format!("{}{whole}{}{part}", if negative { "-" } else { "" }, if scale > 0 { "." } else { "" })
}

/// Days since 1970-01-01 as YYYY-MM-DD (Howard Hinnant's civil_from_days).
fn date(days: i64) -> String {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153; // months from March
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

fn time(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000);
    let part = micros.rem_euclid(1_000_000);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if part == 0 { clock } else { format!("{clock}.{part:06}") }
}

fn timestamp(micros: i64) -> String {
    const DAY: i64 = 86_400_000_000;
    format!("{} {}", date(micros.div_euclid(DAY)), time(micros.rem_euclid(DAY)))
}

#[no_mangle]
pub unsafe extern "C" fn crucible_parquet_open(
    path: *const c_char,
    length: usize,
    max_bytes: u64,
    error: *mut *mut c_char,
) -> *mut ParquetReader {
    let opened = guarded(error, || {
        let path = OsStr::from_bytes(items_of(path.cast::<u8>(), length));
        let reader = undamaged(|| ParquetReader::open(Path::new(path), max_bytes))?;
        Ok(Box::into_raw(Box::new(reader)))
    });
    opened.unwrap_or(ptr::null_mut())
}

#[no_mangle]
pub unsafe extern "C" fn crucible_parquet_next(
    reader: *mut ParquetReader,
    max_rows: usize,
    length: *mut usize,
    error: *mut *mut c_char,
) -> *mut c_char {
    guarded_text(length, error, || undamaged(|| (*reader).next(max_rows)))
}

#[no_mangle]
pub unsafe extern "C" fn crucible_parquet_free(reader: *mut ParquetReader) {
    drop_boxed(reader);
}
