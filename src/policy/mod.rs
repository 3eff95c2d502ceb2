//! Who may do what: roles, grants, limits, and the permit that execution demands.
//! Must not know: rooms on higher floors.
