//! Counters, gauges and histograms, in Prometheus' terms; the one place that knows the crate.
//! Must not know: rooms on higher floors.
