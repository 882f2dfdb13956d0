//! From PyTorch's layouts to the kernels'.

/// The transpose of a matrix of `columns` columns, both row-major. Elements behind the last full row are left out.
pub(crate) fn transpose<T: Copy>(matrix: &[T], columns: usize) -> Vec<T> {
    let rows = matrix.chunks_exact(columns);
    (0..columns)
        .flat_map(|column| rows.clone().map(move |row| row[column]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        assert_eq!(
            transpose(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3),
            [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]
        );
    }
}
