//! The one place where the app is put together.
//! Must not know: rooms on higher floors.
