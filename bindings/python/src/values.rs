//! Python's values become ours; whatever is none is refused by the name of its field.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// What a field holds, shortened, for messages.
fn shown(value: &Bound<'_, PyAny>) -> String {
    let text = value
        .repr()
        .map_or_else(|_| "?".to_owned(), |text| text.to_string());
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn refused(field: &str, expected: &str, got: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("{field}: expected {expected}, got {}", shown(got)))
}

/// The values of anything that can be gone through, numpy arrays included; texts are none.
fn each<'py, T>(
    value: &Bound<'py, PyAny>,
    field: &str,
    expected: &str,
    read: impl Fn(&Bound<'py, PyAny>, &str) -> PyResult<T>,
) -> PyResult<Vec<T>> {
    if value.is_instance_of::<PyString>() {
        return Err(refused(field, expected, value));
    }
    value
        .try_iter()
        .map_err(|_| refused(field, expected, value))?
        .enumerate()
        .map(|(index, value)| read(&value?, &format!("{field}[{index}]")))
        .collect()
}

/// Numbers.
pub(crate) fn numbers(value: &Bound<'_, PyAny>, field: &str) -> PyResult<Vec<f64>> {
    each(value, field, "a list of numbers", |value, field| {
        value.extract().map_err(|_| refused(field, "a number", value))
    })
}

/// Numbers, `None` and NaN standing for none.
pub(crate) fn numbers_or_none(value: &Bound<'_, PyAny>, field: &str) -> PyResult<Vec<Option<f64>>> {
    each(value, field, "a list of numbers", |value, field| {
        let number: Option<f64> = value
            .extract()
            .map_err(|_| refused(field, "a number or None", value))?;
        Ok(number.filter(|number| !number.is_nan()))
    })
}

/// Indices.
pub(crate) fn indices(value: &Bound<'_, PyAny>, field: &str) -> PyResult<Vec<usize>> {
    each(value, field, "a list of indices", |value, field| {
        value.extract().map_err(|_| refused(field, "an index", value))
    })
}

/// Every index of `0..n` once.
pub(crate) fn permutation(value: &Bound<'_, PyAny>, field: &str, n: usize) -> PyResult<Vec<usize>> {
    let found = indices(value, field)?;
    let mut sorted = found.clone();
    sorted.sort_unstable();
    if sorted.into_iter().eq(0..n) {
        Ok(found)
    } else {
        Err(PyValueError::new_err(format!(
            "{field}: expected every index of 0..{n} once, got {found:?}"
        )))
    }
}

/// Two lists that belong together.
pub(crate) fn same_length(first: (&str, usize), second: (&str, usize)) -> PyResult<()> {
    if first.1 == second.1 {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "{}: expected {}, one for each of {}, got {}",
        first.0, second.1, second.0, first.1
    )))
}

/// A setting by its name; `None` where it is not given.
pub(crate) fn setting<'py, T: FromPyObjectOwned<'py>>(
    settings: &Bound<'py, PyDict>,
    name: &str,
    expected: &str,
) -> PyResult<Option<T>> {
    match settings.get_item(name)? {
        None => Ok(None),
        Some(value) if value.is_none() => Ok(None),
        Some(value) => value
            .extract()
            .map(Some)
            .map_err(|_| refused(name, expected, &value)),
    }
}

/// A `ValueError` in the words of one of our errors.
pub(crate) fn value_error(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}
