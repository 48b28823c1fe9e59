//! Matrix product on strided views, over the `gemm` crate.

use gemm::Parallelism;

/// A read-only view of a matrix inside a slice.
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

/// A writable, row-major view of a matrix inside a slice.
#[derive(Debug)]
pub struct MatMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

/// What a product does with the values already in the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// They are replaced, and never read.
    Replace,
    /// The product is added to them.
    Add,
}

/// Elements a view of this form spans; `None` on overflow.
fn span(rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Option<usize> {
    if rows == 0 || cols == 0 {
        return Some(0);
    }
    (rows - 1)
        .checked_mul(row_stride)?
        .checked_add((cols - 1).checked_mul(col_stride)?)?
        .checked_add(1)
}

impl<'a> Mat<'a> {
    /// A dense row-major `[rows, cols]` matrix.
    ///
    /// # Panics
    /// When `data` is shorter than `rows * cols`.
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// `[rows, cols]` whose rows start `row_stride` elements apart.
    ///
    /// # Panics
    /// When the view would leave `data`.
    pub fn strided(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        let needed = span(rows, cols, row_stride, 1).expect("matrix size overflows");
        assert!(
            needed <= data.len(),
            "matrix view needs {needed} elements, the slice has {}",
            data.len()
        );
        Self {
            data,
            rows,
            cols,
            row_stride,
            col_stride: 1,
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The transposed view; nothing is copied.
    #[must_use]
    pub fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

impl<'a> MatMut<'a> {
    /// A dense row-major `[rows, cols]` matrix.
    ///
    /// # Panics
    /// When `data` is shorter than `rows * cols`.
    pub fn new(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// `[rows, cols]` whose rows start `row_stride` elements apart.
    ///
    /// # Panics
    /// When the view would leave `data`, or rows would overlap.
    pub fn strided(data: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        assert!(
            rows <= 1 || row_stride >= cols,
            "rows of a writable matrix may not overlap"
        );
        let needed = span(rows, cols, row_stride, 1).expect("matrix size overflows");
        assert!(
            needed <= data.len(),
            "matrix view needs {needed} elements, the slice has {}",
            data.len()
        );
        Self {
            data,
            rows,
            cols,
            row_stride,
        }
    }

    /// The slice, rows, columns, and elements from one row to the next.
    pub(crate) fn into_parts(self) -> (&'a mut [f32], usize, usize, usize) {
        (self.data, self.rows, self.cols, self.row_stride)
    }
}

/// `dst = scale * lhs · rhs`, or `dst += scale * lhs · rhs` with [`Write::Add`].
///
/// # Panics
/// When the shapes do not fit: `lhs [m, k]`, `rhs [k, n]`, `dst [m, n]`.
pub fn matmul(dst: MatMut<'_>, lhs: Mat<'_>, rhs: Mat<'_>, scale: f32, write: Write) {
    assert!(
        lhs.cols == rhs.rows && dst.rows == lhs.rows && dst.cols == rhs.cols,
        "matmul of [{}, {}] and [{}, {}] into [{}, {}]",
        lhs.rows,
        lhs.cols,
        rhs.rows,
        rhs.cols,
        dst.rows,
        dst.cols
    );
    if dst.rows == 0 || dst.cols == 0 {
        return;
    }
    let stride = |s: usize| isize::try_from(s).expect("a stride inside a slice fits isize. This is a bug.");
    // SAFETY: the constructors of the three views have checked that `(rows - 1) * row_stride + (cols - 1) *
    // col_stride` lies inside their slices, `t` swaps both pairs together, and the shapes were just compared, so every
    // element that gemm touches is in bounds. `dst` is borrowed mutably, so it aliases neither input.
    unsafe {
        gemm::gemm(
            dst.rows,
            dst.cols,
            lhs.cols,
            dst.data.as_mut_ptr(),
            1,
            stride(dst.row_stride),
            write == Write::Add,
            lhs.data.as_ptr(),
            stride(lhs.col_stride),
            stride(lhs.row_stride),
            rhs.data.as_ptr(),
            stride(rhs.col_stride),
            stride(rhs.row_stride),
            1.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
