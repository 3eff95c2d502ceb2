//! What tables and indexes take on disk, as their source said last.
//! Must not know: how a source is asked, who may be told.

use parking_lot::RwLock;

/// Bytes on disk of a table or an index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskSize {
    /// Of its rows: PostgreSQL's main fork.
    pub main: u64,
    /// Of its map of free space.
    pub free_space: u64,
    /// Of its map of visibility.
    pub visibility: u64,
    /// Of all of it but indexes: the maps too, and what is stored out of line.
    pub whole: u64,
    /// Of its indexes.
    pub indexes: u64,
}

impl DiskSize {
    /// Of something that is its rows and nothing else.
    #[must_use]
    pub fn of_rows(bytes: u64) -> Self {
        DiskSize { main: bytes, whole: bytes, ..DiskSize::default() }
    }
}

/// The sizes of a table and its indexes. They change without the table being another, so that they are no part of what it is.
#[derive(Debug, Default)]
pub struct DiskSizes(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    table: Option<DiskSize>,
    indexes: Vec<Option<DiskSize>>,
}

impl DiskSizes {
    /// Of a table, and of its indexes in the order of `RemoteTable::indexes`; `None` where the source does not say.
    #[must_use]
    pub fn new(table: Option<DiskSize>, indexes: Vec<Option<DiskSize>>) -> Self {
        DiskSizes(RwLock::new(Known { table, indexes }))
    }

    /// The table's.
    #[must_use]
    pub fn table(&self) -> Option<DiskSize> {
        self.0.read().table
    }

    /// That of an index, by its place in `RemoteTable::indexes`.
    #[must_use]
    pub fn index(&self, at: usize) -> Option<DiskSize> {
        self.0.read().indexes.get(at).copied().flatten()
    }

    /// Takes what was found out later of the same table. What could not be found out then is as it was.
    pub fn renew(&self, later: &DiskSizes) {
        let later = later.0.read();
        let mut known = self.0.write();
        known.table = later.table.or(known.table);
        let indexes = later.indexes.iter().enumerate();
        known.indexes = indexes.map(|(at, size)| size.or(known.indexes.get(at).copied().flatten())).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_later_is_as_it_was() {
        let (small, large) = (DiskSize::of_rows(1), DiskSize::of_rows(9000));
        let sizes = DiskSizes::new(Some(small), vec![Some(small), None]);
        sizes.renew(&DiskSizes::new(None, vec![Some(large), Some(large)]));
        assert_eq!((sizes.table(), sizes.index(0), sizes.index(1)), (Some(small), Some(large), Some(large)));
        sizes.renew(&DiskSizes::new(Some(large), vec![None, None]));
        assert_eq!((sizes.table(), sizes.index(0), sizes.index(2)), (Some(large), Some(large), None));
    }
}
