//! Variables of PostgreSQL that Tusk does not have: what SET and SHOW say of them is what PostgreSQL tells who is no superuser.
//! Must not know: values.

use crate::error::{Error, Result, SqlState};

/// Set when the server starts.
const POSTMASTER: &[&str] = &[
    "archive_mode",
    "autovacuum_freeze_max_age",
    "autovacuum_max_workers",
    "autovacuum_multixact_freeze_max_age",
    "bonjour",
    "bonjour_name",
    "cluster_name",
    "config_file",
    "data_directory",
    "data_sync_retry",
    "dynamic_shared_memory_type",
    "event_source",
    "external_pid_file",
    "hba_file",
    "hot_standby",
    "huge_page_size",
    "huge_pages",
    "ident_file",
    "ignore_invalid_pages",
    "jit_provider",
    "listen_addresses",
    "logging_collector",
    "max_files_per_process",
    "max_locks_per_transaction",
    "max_logical_replication_workers",
    "max_pred_locks_per_transaction",
    "max_prepared_transactions",
    "max_replication_slots",
    "max_wal_senders",
    "max_worker_processes",
    "min_dynamic_shared_memory",
    "old_snapshot_threshold",
    "port",
    "recovery_target",
    "recovery_target_action",
    "recovery_target_inclusive",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_timeline",
    "recovery_target_xid",
    "shared_buffers",
    "shared_memory_type",
    "shared_preload_libraries",
    "superuser_reserved_connections",
    "track_activity_query_size",
    "track_commit_timestamp",
    "unix_socket_directories",
    "unix_socket_group",
    "unix_socket_permissions",
    "wal_buffers",
    "wal_decode_buffer_size",
    "wal_level",
    "wal_log_hints",
];

/// Set in the configuration while the server runs.
const RELOADED: &[&str] = &[
    "archive_cleanup_command",
    "archive_command",
    "archive_library",
    "archive_timeout",
    "authentication_timeout",
    "autovacuum",
    "autovacuum_analyze_scale_factor",
    "autovacuum_analyze_threshold",
    "autovacuum_naptime",
    "autovacuum_vacuum_cost_delay",
    "autovacuum_vacuum_cost_limit",
    "autovacuum_vacuum_insert_scale_factor",
    "autovacuum_vacuum_insert_threshold",
    "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_threshold",
    "autovacuum_work_mem",
    "bgwriter_delay",
    "bgwriter_flush_after",
    "bgwriter_lru_maxpages",
    "bgwriter_lru_multiplier",
    "checkpoint_completion_target",
    "checkpoint_flush_after",
    "checkpoint_timeout",
    "checkpoint_warning",
    "db_user_namespace",
    "fsync",
    "full_page_writes",
    "hot_standby_feedback",
    "krb_caseins_users",
    "krb_server_keyfile",
    "log_autovacuum_min_duration",
    "log_checkpoints",
    "log_destination",
    "log_directory",
    "log_file_mode",
    "log_filename",
    "log_hostname",
    "log_line_prefix",
    "log_recovery_conflict_waits",
    "log_rotation_age",
    "log_rotation_size",
    "log_startup_progress_interval",
    "log_timezone",
    "log_truncate_on_rotation",
    "max_pred_locks_per_page",
    "max_pred_locks_per_relation",
    "max_slot_wal_keep_size",
    "max_standby_archive_delay",
    "max_standby_streaming_delay",
    "max_sync_workers_per_subscription",
    "max_wal_size",
    "min_wal_size",
    "pre_auth_delay",
    "primary_conninfo",
    "primary_slot_name",
    "promote_trigger_file",
    "recovery_end_command",
    "recovery_init_sync_method",
    "recovery_min_apply_delay",
    "recovery_prefetch",
    "remove_temp_files_after_crash",
    "restart_after_crash",
    "restore_command",
    "ssl",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_ciphers",
    "ssl_crl_dir",
    "ssl_crl_file",
    "ssl_dh_params_file",
    "ssl_ecdh_curve",
    "ssl_key_file",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "ssl_passphrase_command",
    "ssl_passphrase_command_supports_reload",
    "ssl_prefer_server_ciphers",
    "synchronous_standby_names",
    "syslog_facility",
    "syslog_ident",
    "syslog_sequence_numbers",
    "syslog_split_messages",
    "trace_recovery_messages",
    "vacuum_defer_cleanup_age",
    "wal_keep_size",
    "wal_receiver_create_temp_slot",
    "wal_receiver_status_interval",
    "wal_receiver_timeout",
    "wal_retrieve_retry_interval",
    "wal_sync_method",
    "wal_writer_delay",
    "wal_writer_flush_after",
];

/// Set when a connection starts.
const CONNECTION: &[&str] = &[
    "ignore_system_indexes",
    "jit_debugging_support",
    "jit_profiling_support",
    "log_connections",
    "log_disconnections",
    "post_auth_delay",
];

/// Set by a superuser.
const SUPERUSER: &[&str] = &["dynamic_library_path", "session_preload_libraries"];

/// Shown to superusers only.
const SECRET: &[&str] = &[
    "config_file",
    "data_directory",
    "dynamic_library_path",
    "external_pid_file",
    "hba_file",
    "ident_file",
    "jit_provider",
    "krb_server_keyfile",
    "log_directory",
    "log_filename",
    "primary_conninfo",
    "session_preload_libraries",
    "shared_preload_libraries",
    "ssl_ciphers",
    "ssl_dh_params_file",
    "ssl_ecdh_curve",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "ssl_passphrase_command",
    "unix_socket_directories",
];

/// Refuses to set a variable that Tusk does not have; nothing is said of one that PostgreSQL does not have either.
pub(super) fn may_set(name: &str) -> Result<()> {
    let name = name.to_ascii_lowercase();
    let known = |names: &[&str]| names.contains(&name.as_str());
    let refuse = |why: &str| {
        Err(Error::client(SqlState::CANT_CHANGE_RUNTIME_PARAM, format!("parameter \"{name}\" cannot be {why}")))
    };
    if known(POSTMASTER) {
        refuse("changed without restarting the server")
    } else if known(RELOADED) {
        refuse("changed now")
    } else if known(CONNECTION) {
        refuse("set after connection start")
    } else if known(SUPERUSER) {
        Err(Error::policy(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied to set parameter \"{name}\"")))
    } else {
        Ok(())
    }
}

/// Refuses to show what PostgreSQL shows to superusers only.
pub(super) fn may_show(name: &str) -> Result<()> {
    if !SECRET.iter().any(|secret| secret.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    let message = format!(
        "must be superuser or have privileges of pg_read_all_settings to examine \"{}\"",
        name.to_ascii_lowercase()
    );
    Err(Error::policy(SqlState::INSUFFICIENT_PRIVILEGE, message))
}
