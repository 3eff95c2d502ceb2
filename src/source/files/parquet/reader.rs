//! Gives DataFusion's Parquet scan the bytes of a file: one version of it, from an open handle, never mapped into memory.
//! Must not know: what is read, or why.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result as PlanResult;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::{ParquetError, Result as ParquetResult};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use super::Footer;
use crate::error::{Error, Result};
use crate::source::files::open::{Identity, Located, SameFile};

/// Ranges with a gap of up to this many bytes are read in one go.
const COALESCE_BYTES: u64 = 64 * 1024;

/// The file behind a [`PartitionedFile`]: which one, which version, and what its footer says.
#[derive(Debug, Clone)]
pub(crate) struct ParquetHandle {
    pub(crate) located: Located,
    pub(crate) identity: Identity,
    pub(crate) footer: Arc<Footer>,
}

/// Handles that one scan keeps. Of a table with more files some may be opened several times: each time it must be the same version.
const MAX_OPEN_FILES: usize = 64;

/// Makes readers for one scan. All of them see one version of a file.
#[derive(Debug, Default)]
pub(crate) struct ReaderFactory {
    open: Mutex<HashMap<std::path::PathBuf, SameFile>>,
}

impl ReaderFactory {
    fn open(&self, handle: &ParquetHandle) -> Result<SameFile> {
        if let Some(file) = self.open.lock().get(&handle.located.path) {
            return Ok(file.clone());
        }
        let file = handle.located.open(handle.identity)?;
        let mut open = self.open.lock();
        if open.len() < MAX_OPEN_FILES {
            open.insert(handle.located.path.clone(), file.clone());
        }
        Ok(file)
    }
}

impl ParquetFileReaderFactory for ReaderFactory {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> PlanResult<Box<dyn AsyncFileReader + Send>> {
        let handle = file
            .extension::<ParquetHandle>()
            .ok_or_else(|| Error::internal("a Parquet scan met a file that is not its own"))
            .map_err(crate::source::files::plan_error)?;
        let open = self.open(handle).map_err(crate::source::files::plan_error)?;
        let metrics = ParquetFileMetrics::new(partition_index, file.object_meta.location.as_ref(), metrics);
        Ok(Box::new(Reader { file: open, footer: Arc::clone(&handle.footer), metrics }))
    }
}

struct Reader {
    file: SameFile,
    footer: Arc<Footer>,
    metrics: ParquetFileMetrics,
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move {
            let mut all = self.get_byte_ranges(vec![range]).await?;
            all.pop().ok_or_else(|| ParquetError::General("no bytes were read".to_owned()))
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        let total: u64 = ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum();
        self.metrics.bytes_scanned.add(usize::try_from(total).unwrap_or(usize::MAX));
        let file = self.file.clone();
        off_thread(move || read_ranges(&file, &ranges))
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let (file, footer) = (self.file.clone(), Arc::clone(&self.footer));
        off_thread(move || footer.with_pages(&file))
    }
}

/// A disk may take its time: its reads stay off the threads that run queries.
fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> BoxFuture<'static, ParquetResult<T>> {
    async move {
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(|e| ParquetError::External(Box::new(e))),
            Err(join) => Err(ParquetError::External(Box::new(join))),
        }
    }
    .boxed()
}

fn read_ranges(file: &SameFile, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
    let mut order: Vec<usize> = (0..ranges.len()).collect();
    order.sort_by_key(|at| ranges[*at].start);
    let mut parts = vec![Bytes::new(); ranges.len()];
    let mut next = 0;
    while next < order.len() {
        let start = ranges[order[next]].start;
        let mut end = ranges[order[next]].end;
        let mut last = next + 1;
        while last < order.len() && ranges[order[last]].start <= end.saturating_add(COALESCE_BYTES) {
            end = end.max(ranges[order[last]].end);
            last += 1;
        }
        let length = end.checked_sub(start).and_then(|length| usize::try_from(length).ok());
        let length =
            length.ok_or_else(|| file.located().corrupt("it names a range of bytes that ends before it begins"))?;
        let bytes = Bytes::from(file.read_range(start, length)?);
        for at in &order[next..last] {
            let range = &ranges[*at];
            let (from, to) = (range.start - start, range.end.max(range.start) - start);
            parts[*at] = bytes.slice(from as usize..to as usize);
        }
        next = last;
    }
    Ok(parts)
}
