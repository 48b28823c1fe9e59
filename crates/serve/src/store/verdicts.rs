//! Remembered replies as the store holds them: by their key, and by when they were last of use.

use redb::{
    ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, TableDefinition, WriteTransaction,
};

use super::StoreError;

/// SHA-256 of all that a reply depends on.
pub(crate) type Key = [u8; 32];

/// Age and reply by key.
const REPLIES: TableDefinition<'static, &Key, (u64, &[u8])> = TableDefinition::new("replies");
/// Keys by age: the lowest has been of no use for the longest time.
const AGES: TableDefinition<'static, u64, &Key> = TableDefinition::new("ages");
const TOTALS: TableDefinition<'static, &str, u64> = TableDefinition::new("totals");

const BYTES: &str = "bytes";
const NEXT_AGE: &str = "next age";

/// What a reply takes beside itself: its key twice, its age twice, and its share of the tree's pages.
const AROUND: u64 = 160;

pub(super) fn create(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(REPLIES).map_err(StoreError::of)?;
    transaction.open_table(AGES).map_err(StoreError::of)?;
    transaction.open_table(TOTALS).map_err(StoreError::of)?;
    Ok(())
}

/// A reply.
pub(crate) fn get(transaction: &ReadTransaction, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
    let replies = transaction.open_table(REPLIES).map_err(StoreError::of)?;
    let found = replies.get(key).map_err(StoreError::of)?;
    Ok(found.map(|found| found.value().1.to_vec()))
}

/// How many replies there are, and how many bytes they take.
pub(crate) fn size(transaction: &ReadTransaction) -> Result<(u64, u64), StoreError> {
    let replies = transaction.open_table(REPLIES).map_err(StoreError::of)?;
    let totals = transaction.open_table(TOTALS).map_err(StoreError::of)?;
    let bytes = totals.get(BYTES).map_err(StoreError::of)?;
    Ok((
        replies.len().map_err(StoreError::of)?,
        bytes.map_or(0, |bytes| bytes.value()),
    ))
}

/// Keeps replies, makes those that were of use the youngest, and drops the oldest until all fit into `limit` bytes.
pub(crate) fn keep(
    transaction: &WriteTransaction,
    fresh: &[(Key, Vec<u8>)],
    used: &[Key],
    limit: u64,
) -> Result<(), StoreError> {
    let mut replies = transaction.open_table(REPLIES).map_err(StoreError::of)?;
    let mut ages = transaction.open_table(AGES).map_err(StoreError::of)?;
    let mut totals = transaction.open_table(TOTALS).map_err(StoreError::of)?;
    let total = |name: &str| -> Result<u64, StoreError> {
        let found = totals.get(name).map_err(StoreError::of)?;
        Ok(found.map_or(0, |value| value.value()))
    };
    let (mut bytes, mut next) = (total(BYTES)?, total(NEXT_AGE)?);
    for key in used {
        let Some((age, reply)) = replies.get(key).map_err(StoreError::of)?.map(|found| {
            let (age, reply) = found.value();
            (age, reply.to_vec())
        }) else {
            continue;
        };
        ages.remove(age).map_err(StoreError::of)?;
        ages.insert(next, key).map_err(StoreError::of)?;
        replies.insert(key, (next, &reply[..])).map_err(StoreError::of)?;
        next += 1;
    }
    for (key, reply) in fresh {
        let size = reply.len() as u64 + AROUND;
        if size > limit {
            continue;
        }
        let before = replies
            .insert(key, (next, &reply[..]))
            .map_err(StoreError::of)?
            .map(|found| (found.value().0, found.value().1.len() as u64 + AROUND));
        if let Some((age, size)) = before {
            ages.remove(age).map_err(StoreError::of)?;
            bytes -= size;
        }
        ages.insert(next, key).map_err(StoreError::of)?;
        bytes += size;
        next += 1;
    }
    while bytes > limit {
        let Some(oldest) = ages
            .pop_first()
            .map_err(StoreError::of)?
            .map(|(_, key)| *key.value())
        else {
            break;
        };
        let gone = replies.remove(&oldest).map_err(StoreError::of)?;
        bytes -= gone.map_or(0, |gone| gone.value().1.len() as u64 + AROUND);
    }
    totals.insert(BYTES, bytes).map_err(StoreError::of)?;
    totals.insert(NEXT_AGE, next).map_err(StoreError::of)?;
    Ok(())
}
