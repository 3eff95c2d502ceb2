//! Every session variable, one row each: PostgreSQL's own as it describes them, and ours.
//! Must not know: values of a session.

use super::{Check, Context, Kind, Unit, Variable};
use crate::names::{SERVER_VERSION, SERVER_VERSION_NUM};

const ASYNCHRONOUS_BEHAVIOR: &str = "Resource Usage / Asynchronous Behavior";
const AUTHENTICATION: &str = "Connections and Authentication / Authentication";
const CONNECTION_SETTINGS: &str = "Connections and Authentication / Connection Settings";
const COST_BASED_VACUUM_DELAY: &str = "Resource Usage / Cost-Based Vacuum Delay";
const CUMULATIVE_QUERY_AND_INDEX_STATISTICS: &str = "Statistics / Cumulative Query and Index Statistics";
const DEVELOPER_OPTIONS: &str = "Developer Options";
const GENETIC_QUERY_OPTIMIZER: &str = "Query Tuning / Genetic Query Optimizer";
const LOCALE_AND_FORMATTING: &str = "Client Connection Defaults / Locale and Formatting";
const LOCK_MANAGEMENT: &str = "Lock Management";
const MEMORY: &str = "Resource Usage / Memory";
const OTHER_DEFAULTS: &str = "Client Connection Defaults / Other Defaults";
const OTHER_PLANNER_OPTIONS: &str = "Query Tuning / Other Planner Options";
const OTHER_PLATFORMS_AND_CLIENTS: &str = "Version and Platform Compatibility / Other Platforms and Clients";
const PLANNER_COST_CONSTANTS: &str = "Query Tuning / Planner Cost Constants";
const PLANNER_METHOD_CONFIGURATION: &str = "Query Tuning / Planner Method Configuration";
const PRESET_OPTIONS: &str = "Preset Options";
const PREVIOUS_POSTGRESQL_VERSIONS: &str = "Version and Platform Compatibility / Previous PostgreSQL Versions";
const SENDING_SERVERS: &str = "Replication / Sending Servers";
const SETTINGS: &str = "Write-Ahead Log / Settings";
const STATEMENT_BEHAVIOR: &str = "Client Connection Defaults / Statement Behavior";
const TUSK: &str = "Tusk";
const UNGROUPED: &str = "Ungrouped";
const WHAT_TO_LOG: &str = "Reporting and Logging / What to Log";
const WHEN_TO_LOG: &str = "Reporting and Logging / When to Log";

/// All of them, ordered by name without regard to case.
pub static VARIABLES: &[Variable] = &[
    row("application_name", "", Kind::Text(Check::Ascii), Context::User, WHAT_TO_LOG, "Sets the application name to be reported in statistics and logs.").reported(),
    row("array_nulls", "on", Kind::Bool, Context::User, PREVIOUS_POSTGRESQL_VERSIONS, "Enable input of NULL elements in arrays."),
    row("backend_flush_after", "0", int(Unit::Blocks, 0, 256), Context::User, ASYNCHRONOUS_BEHAVIOR, "Number of pages after which previously performed writes are flushed to disk."),
    row("backslash_quote", "safe_encoding", Kind::Enum(&["safe_encoding", "on", "off"]), Context::User, PREVIOUS_POSTGRESQL_VERSIONS, "Sets whether \"\\'\" is allowed in string literals."),
    row("block_size", "8192", int(Unit::None, 8192, 8192), Context::Internal, PRESET_OPTIONS, "Shows the size of a disk block."),
    row("bytea_output", "hex", Kind::Enum(&["escape", "hex"]), Context::User, STATEMENT_BEHAVIOR, "Sets the output format for bytea."),
    row("check_function_bodies", "on", Kind::Bool, Context::User, STATEMENT_BEHAVIOR, "Check routine bodies during CREATE FUNCTION and CREATE PROCEDURE."),
    row("client_connection_check_interval", "0", int(Unit::Millis, 0, i32::MAX), Context::User, CONNECTION_SETTINGS, "Sets the time interval between checks for disconnection while running queries."),
    row("client_encoding", "UTF8", Kind::Text(Check::Encoding), Context::User, LOCALE_AND_FORMATTING, "Sets the client's character set encoding.").reported(),
    row("client_min_messages", "notice", Kind::Enum(&["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"]), Context::User, STATEMENT_BEHAVIOR, "Sets the message levels that are sent to the client."),
    row("commit_siblings", "5", int(Unit::None, 0, 1000), Context::User, SETTINGS, "Sets the minimum number of concurrent open transactions required before performing commit_delay."),
    row("constraint_exclusion", "partition", Kind::Enum(&["partition", "on", "off"]), Context::User, OTHER_PLANNER_OPTIONS, "Enables the planner to use constraints to optimize queries."),
    row("cpu_index_tuple_cost", "0.005", real(Unit::None, 0.0, f64::MAX), Context::User, PLANNER_COST_CONSTANTS, "Sets the planner's estimate of the cost of processing each index entry during an index scan."),
    row("cpu_operator_cost", "0.0025", real(Unit::None, 0.0, f64::MAX), Context::User, PLANNER_COST_CONSTANTS, "Sets the planner's estimate of the cost of processing each operator or function call."),
    row("cpu_tuple_cost", "0.01", real(Unit::None, 0.0, f64::MAX), Context::User, PLANNER_COST_CONSTANTS, "Sets the planner's estimate of the cost of processing each tuple (row)."),
    row("cursor_tuple_fraction", "0.1", real(Unit::None, 0.0, 1.0), Context::User, OTHER_PLANNER_OPTIONS, "Sets the planner's estimate of the fraction of a cursor's rows that will be retrieved."),
    row("DateStyle", "ISO, MDY", Kind::Text(Check::DateStyle), Context::User, LOCALE_AND_FORMATTING, "Sets the display format for date and time values.").reported(),
    row("deadlock_timeout", "1000", int(Unit::Millis, 1, i32::MAX), Context::Superuser, LOCK_MANAGEMENT, "Sets the time to wait on a lock before checking for deadlock."),
    row("default_statistics_target", "100", int(Unit::None, 1, 10000), Context::User, OTHER_PLANNER_OPTIONS, "Sets the default statistics target."),
    row("default_table_access_method", "heap", Kind::Text(Check::Any), Context::User, STATEMENT_BEHAVIOR, "Sets the default table access method for new tables."),
    row("default_tablespace", "", Kind::Text(Check::Any), Context::User, STATEMENT_BEHAVIOR, "Sets the default tablespace to create tables and indexes in."),
    row("default_text_search_config", "pg_catalog.english", Kind::Text(Check::Any), Context::User, LOCALE_AND_FORMATTING, "Sets default text search configuration."),
    row("default_toast_compression", "pglz", Kind::Enum(&["pglz", "lz4"]), Context::User, STATEMENT_BEHAVIOR, "Sets the default compression method for compressible values."),
    row("default_transaction_deferrable", "off", Kind::Bool, Context::User, STATEMENT_BEHAVIOR, "Sets the default deferrable status of new transactions."),
    row("default_transaction_isolation", "read committed", Kind::Enum(&["serializable", "repeatable read", "read committed", "read uncommitted"]), Context::User, STATEMENT_BEHAVIOR, "Sets the transaction isolation level of each new transaction."),
    row("default_transaction_read_only", "off", Kind::Bool, Context::User, STATEMENT_BEHAVIOR, "Sets the default read-only status of new transactions.").reported(),
    row("effective_cache_size", "524288", int(Unit::Blocks, 1, i32::MAX), Context::User, PLANNER_COST_CONSTANTS, "Sets the planner's assumption about the total size of the data caches."),
    row("effective_io_concurrency", "1", int(Unit::None, 0, 1000), Context::User, ASYNCHRONOUS_BEHAVIOR, "Number of simultaneous requests that can be handled efficiently by the disk subsystem."),
    row("enable_async_append", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of async append plans."),
    row("enable_bitmapscan", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of bitmap-scan plans."),
    row("enable_gathermerge", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of gather merge plans."),
    row("enable_hashagg", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of hashed aggregation plans."),
    row("enable_hashjoin", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of hash join plans."),
    row("enable_incremental_sort", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of incremental sort steps."),
    row("enable_indexonlyscan", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of index-only-scan plans."),
    row("enable_indexscan", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of index-scan plans."),
    row("enable_material", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of materialization."),
    row("enable_memoize", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of memoization."),
    row("enable_mergejoin", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of merge join plans."),
    row("enable_nestloop", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of nested-loop join plans."),
    row("enable_parallel_append", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of parallel append plans."),
    row("enable_parallel_hash", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of parallel hash plans."),
    row("enable_partition_pruning", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables plan-time and execution-time partition pruning."),
    row("enable_partitionwise_aggregate", "off", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables partitionwise aggregation and grouping."),
    row("enable_partitionwise_join", "off", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables partitionwise join."),
    row("enable_seqscan", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of sequential-scan plans."),
    row("enable_sort", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of explicit sort steps."),
    row("enable_tidscan", "on", Kind::Bool, Context::User, PLANNER_METHOD_CONFIGURATION, "Enables the planner's use of TID scan plans."),
    row("escape_string_warning", "on", Kind::Bool, Context::User, PREVIOUS_POSTGRESQL_VERSIONS, "Warn about backslash escapes in ordinary string literals."),
    row("extra_float_digits", "1", int(Unit::None, -15, 3), Context::User, LOCALE_AND_FORMATTING, "Sets the number of digits displayed for floating-point values."),
    row("force_parallel_mode", "off", Kind::Enum(&["off", "on", "regress"]), Context::User, DEVELOPER_OPTIONS, "Forces use of parallel query facilities."),
    row("from_collapse_limit", "8", int(Unit::None, 1, i32::MAX), Context::User, OTHER_PLANNER_OPTIONS, "Sets the FROM-list size beyond which subqueries are not collapsed."),
    row("geqo", "on", Kind::Bool, Context::User, GENETIC_QUERY_OPTIMIZER, "Enables genetic query optimization."),
    row("geqo_effort", "5", int(Unit::None, 1, 10), Context::User, GENETIC_QUERY_OPTIMIZER, "GEQO: effort is used to set the default for other GEQO parameters."),
    row("geqo_generations", "0", int(Unit::None, 0, i32::MAX), Context::User, GENETIC_QUERY_OPTIMIZER, "GEQO: number of iterations of the algorithm."),
    row("geqo_pool_size", "0", int(Unit::None, 0, i32::MAX), Context::User, GENETIC_QUERY_OPTIMIZER, "GEQO: number of individuals in the population."),
    row("geqo_seed", "0", real(Unit::None, 0.0, 1.0), Context::User, GENETIC_QUERY_OPTIMIZER, "GEQO: seed for random path selection."),
    row("geqo_selection_bias", "2", real(Unit::None, 1.5, 2.0), Context::User, GENETIC_QUERY_OPTIMIZER, "GEQO: selective pressure within the population."),
    row("geqo_threshold", "12", int(Unit::None, 2, i32::MAX), Context::User, GENETIC_QUERY_OPTIMIZER, "Sets the threshold of FROM items beyond which GEQO is used."),
    row("gin_fuzzy_search_limit", "0", int(Unit::None, 0, i32::MAX), Context::User, OTHER_DEFAULTS, "Sets the maximum allowed result for exact search by GIN."),
    row("gin_pending_list_limit", "4096", int(Unit::Kib, 64, i32::MAX), Context::User, STATEMENT_BEHAVIOR, "Sets the maximum size of the pending list for GIN index."),
    row("hash_mem_multiplier", "2", real(Unit::None, 1.0, 1000.0), Context::User, MEMORY, "Multiple of work_mem to use for hash tables."),
    row("idle_in_transaction_session_timeout", "0", int(Unit::Millis, 0, i32::MAX), Context::User, STATEMENT_BEHAVIOR, "Sets the maximum allowed idle time between queries, when in a transaction."),
    row("idle_session_timeout", "0", int(Unit::Millis, 0, i32::MAX), Context::User, STATEMENT_BEHAVIOR, "Sets the maximum allowed idle time between queries, when not in a transaction."),
    row("in_hot_standby", "off", Kind::Bool, Context::Internal, PRESET_OPTIONS, "Shows whether hot standby is currently active.").reported(),
    row("integer_datetimes", "on", Kind::Bool, Context::Internal, PRESET_OPTIONS, "Shows whether datetimes are integer based.").reported(),
    row("IntervalStyle", "postgres", Kind::Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]), Context::User, LOCALE_AND_FORMATTING, "Sets the display format for interval values.").reported(),
    row("is_superuser", "off", Kind::Bool, Context::Internal, WHAT_TO_LOG, "Shows whether the current user is a superuser.").reported().hidden(),
    row("jit", "off", Kind::Bool, Context::User, OTHER_PLANNER_OPTIONS, "Allow JIT compilation."),
    row("jit_above_cost", "100000", real(Unit::None, -1.0, f64::MAX), Context::User, PLANNER_COST_CONSTANTS, "Perform JIT compilation if query is more expensive."),
    row("jit_expressions", "on", Kind::Bool, Context::User, DEVELOPER_OPTIONS, "Allow JIT compilation of expressions."),
    row("jit_inline_above_cost", "500000", real(Unit::None, -1.0, f64::MAX), Context::User, PLANNER_COST_CONSTANTS, "Perform JIT inlining if query is more expensive."),
    row("jit_optimize_above_cost", "500000", real(Unit::None, -1.0, f64::MAX), Context::User, PLANNER_COST_CONSTANTS, "Optimize JIT-compiled functions if query is more expensive."),
    row("jit_tuple_deforming", "on", Kind::Bool, Context::User, DEVELOPER_OPTIONS, "Allow JIT compilation of tuple deforming."),
    row("join_collapse_limit", "8", int(Unit::None, 1, i32::MAX), Context::User, OTHER_PLANNER_OPTIONS, "Sets the FROM-list size beyond which JOIN constructs are not flattened."),
    row("lc_collate", "C", Kind::Text(Check::Any), Context::Internal, PRESET_OPTIONS, "Shows the collation order locale."),
    row("lc_ctype", "C", Kind::Text(Check::Any), Context::Internal, PRESET_OPTIONS, "Shows the character classification and case conversion locale."),
    row("lc_messages", "C", Kind::Text(Check::Locale), Context::Superuser, LOCALE_AND_FORMATTING, "Sets the language in which messages are displayed."),
    row("lc_monetary", "C", Kind::Text(Check::Locale), Context::User, LOCALE_AND_FORMATTING, "Sets the locale for formatting monetary amounts."),
    row("lc_numeric", "C", Kind::Text(Check::Locale), Context::User, LOCALE_AND_FORMATTING, "Sets the locale for formatting numbers."),
    row("lc_time", "C", Kind::Text(Check::Locale), Context::User, LOCALE_AND_FORMATTING, "Sets the locale for formatting date and time values."),
    row("lock_timeout", "0", int(Unit::Millis, 0, i32::MAX), Context::User, STATEMENT_BEHAVIOR, "Sets the maximum allowed duration of any wait for a lock."),
    row("log_min_duration_statement", "-1", int(Unit::Millis, -1, i32::MAX), Context::Superuser, WHEN_TO_LOG, "Sets the minimum execution time above which all statements will be logged."),
    row("log_min_messages", "warning", Kind::Enum(&["debug5", "debug4", "debug3", "debug2", "debug1", "info", "notice", "warning", "error", "log", "fatal", "panic"]), Context::Superuser, WHEN_TO_LOG, "Sets the message levels that are logged."),
    row("log_statement", "none", Kind::Enum(&["none", "ddl", "mod", "all"]), Context::Superuser, WHAT_TO_LOG, "Sets the type of statements logged."),
    row("logical_decoding_work_mem", "65536", int(Unit::Kib, 64, i32::MAX), Context::User, MEMORY, "Sets the maximum memory to be used for logical decoding."),
    row("maintenance_io_concurrency", "10", int(Unit::None, 0, 1000), Context::User, ASYNCHRONOUS_BEHAVIOR, "A variant of effective_io_concurrency that is used for maintenance work."),
    row("maintenance_work_mem", "65536", int(Unit::Kib, 1024, i32::MAX), Context::User, MEMORY, "Sets the maximum memory to be used for maintenance operations."),
    row("max_connections", "100", int(Unit::None, 1, 262143), Context::Postmaster, CONNECTION_SETTINGS, "Sets the maximum number of concurrent connections."),
    row("max_function_args", "100", int(Unit::None, 100, 100), Context::Internal, PRESET_OPTIONS, "Shows the maximum number of function arguments."),
    row("max_identifier_length", "63", int(Unit::None, 63, 63), Context::Internal, PRESET_OPTIONS, "Shows the maximum identifier length."),
    row("max_index_keys", "32", int(Unit::None, 32, 32), Context::Internal, PRESET_OPTIONS, "Shows the maximum number of index keys."),
    row("max_parallel_maintenance_workers", "2", int(Unit::None, 0, 1024), Context::User, ASYNCHRONOUS_BEHAVIOR, "Sets the maximum number of parallel processes per maintenance operation."),
    row("max_parallel_workers", "8", int(Unit::None, 0, 1024), Context::User, ASYNCHRONOUS_BEHAVIOR, "Sets the maximum number of parallel workers that can be active at one time."),
    row("max_parallel_workers_per_gather", "2", int(Unit::None, 0, 1024), Context::User, ASYNCHRONOUS_BEHAVIOR, "Sets the maximum number of parallel processes per executor node."),
    row("max_stack_depth", "100", int(Unit::Kib, 100, i32::MAX), Context::Superuser, MEMORY, "Sets the maximum stack depth, in kilobytes."),
    row("min_parallel_index_scan_size", "64", int(Unit::Blocks, 0, 715827882), Context::User, PLANNER_COST_CONSTANTS, "Sets the minimum amount of index data for a parallel scan."),
    row("min_parallel_table_scan_size", "1024", int(Unit::Blocks, 0, 715827882), Context::User, PLANNER_COST_CONSTANTS, "Sets the minimum amount of table data for a parallel scan."),
    row("parallel_leader_participation", "on", Kind::Bool, Context::User, ASYNCHRONOUS_BEHAVIOR, "Controls whether Gather and Gather Merge also run subplans."),
    row("parallel_setup_cost", "1000", real(Unit::None, 0.0, f64::MAX), Context::User, PLANNER_COST_CONSTANTS, "Sets the planner's estimate of the cost of starting up worker processes for parallel query."),
    row("parallel_tuple_cost", "0.1", real(Unit::None, 0.0, f64::MAX), Context::User, PLANNER_COST_CONSTANTS, "Sets the planner's estimate of the cost of passing each tuple (row) from worker to leader backend."),
    row("password_encryption", "scram-sha-256", Kind::Enum(&["md5", "scram-sha-256"]), Context::User, AUTHENTICATION, "Chooses the algorithm for encrypting passwords."),
    row("plan_cache_mode", "auto", Kind::Enum(&["auto", "force_generic_plan", "force_custom_plan"]), Context::User, OTHER_PLANNER_OPTIONS, "Controls the planner's selection of custom or generic plan."),
    row("quote_all_identifiers", "off", Kind::Bool, Context::User, PREVIOUS_POSTGRESQL_VERSIONS, "When generating SQL fragments, quote all identifiers."),
    row("random_page_cost", "4", real(Unit::None, 0.0, f64::MAX), Context::User, PLANNER_COST_CONSTANTS, "Sets the planner's estimate of the cost of a nonsequentially fetched disk page."),
    row("recursive_worktable_factor", "10", real(Unit::None, 0.001, 1000000.0), Context::User, OTHER_PLANNER_OPTIONS, "Sets the planner's estimate of the average size of a recursive query's working table."),
    row("restrict_nonsystem_relation_kind", "", Kind::Text(Check::Any), Context::User, STATEMENT_BEHAVIOR, "Prohibits access to non-system relations of specified kinds."),
    row("role", "none", Kind::Text(Check::Any), Context::User, UNGROUPED, "Sets the current role.").hidden(),
    row("row_security", "on", Kind::Bool, Context::User, STATEMENT_BEHAVIOR, "Enable row security."),
    row("search_path", "", Kind::Text(Check::Identifiers), Context::User, STATEMENT_BEHAVIOR, "Sets the schema search order for names that are not schema-qualified."),
    row("seed", "0", real(Unit::None, -1.0, 1.0), Context::User, UNGROUPED, "Sets the seed for random-number generation.").hidden(),
    row("seq_page_cost", "1", real(Unit::None, 0.0, f64::MAX), Context::User, PLANNER_COST_CONSTANTS, "Sets the planner's estimate of the cost of a sequentially fetched disk page."),
    row("server_encoding", "UTF8", Kind::Text(Check::Any), Context::Internal, PRESET_OPTIONS, "Shows the server (database) character set encoding.").reported(),
    row("server_version", SERVER_VERSION, Kind::Text(Check::Any), Context::Internal, PRESET_OPTIONS, "Shows the server version.").reported(),
    row("server_version_num", SERVER_VERSION_NUM, int(Unit::None, 0, i32::MAX), Context::Internal, PRESET_OPTIONS, "Shows the server version as an integer."),
    row("session_authorization", "", Kind::Text(Check::Any), Context::User, WHAT_TO_LOG, "Sets the session user name.").reported().hidden(),
    row("session_replication_role", "origin", Kind::Enum(&["origin", "replica", "local"]), Context::Superuser, STATEMENT_BEHAVIOR, "Sets the session's behavior for triggers and rewrite rules."),
    row("standard_conforming_strings", "on", Kind::Bool, Context::User, PREVIOUS_POSTGRESQL_VERSIONS, "Causes '...' strings to treat backslashes literally.").reported(),
    row("statement_timeout", "0", int(Unit::Millis, 0, i32::MAX), Context::User, STATEMENT_BEHAVIOR, "Sets the maximum allowed duration of any statement."),
    row("stats_fetch_consistency", "cache", Kind::Enum(&["none", "cache", "snapshot"]), Context::User, CUMULATIVE_QUERY_AND_INDEX_STATISTICS, "Sets the consistency of accesses to statistics data."),
    row("synchronize_seqscans", "on", Kind::Bool, Context::User, PREVIOUS_POSTGRESQL_VERSIONS, "Enable synchronized sequential scans."),
    row("synchronous_commit", "on", Kind::Enum(&["local", "remote_write", "remote_apply", "on", "off"]), Context::User, SETTINGS, "Sets the current transaction's synchronization level."),
    row("tcp_keepalives_count", "0", int(Unit::None, 0, i32::MAX), Context::User, CONNECTION_SETTINGS, "Maximum number of TCP keepalive retransmits."),
    row("tcp_keepalives_idle", "0", int(Unit::Seconds, 0, i32::MAX), Context::User, CONNECTION_SETTINGS, "Time between issuing TCP keepalives."),
    row("tcp_keepalives_interval", "0", int(Unit::Seconds, 0, i32::MAX), Context::User, CONNECTION_SETTINGS, "Time between TCP keepalive retransmits."),
    row("tcp_user_timeout", "0", int(Unit::Millis, 0, i32::MAX), Context::User, CONNECTION_SETTINGS, "TCP user timeout."),
    row("temp_buffers", "1024", int(Unit::Blocks, 100, 1073741823), Context::User, MEMORY, "Sets the maximum number of temporary buffers used by each session."),
    row("temp_tablespaces", "", Kind::Text(Check::Identifiers), Context::User, STATEMENT_BEHAVIOR, "Sets the tablespace(s) to use for temporary tables and sort files."),
    row("TimeZone", "UTC", Kind::Text(Check::TimeZone), Context::User, LOCALE_AND_FORMATTING, "Sets the time zone for displaying and interpreting time stamps.").reported(),
    row("timezone_abbreviations", "Default", Kind::Text(Check::Any), Context::User, LOCALE_AND_FORMATTING, "Selects a file of time zone abbreviations."),
    row("track_activities", "on", Kind::Bool, Context::Superuser, CUMULATIVE_QUERY_AND_INDEX_STATISTICS, "Collects information about executing commands."),
    row("transaction_deferrable", "off", Kind::Bool, Context::User, STATEMENT_BEHAVIOR, "Whether to defer a read-only serializable transaction until it can be executed with no possible serialization failures."),
    row("transaction_isolation", "read committed", Kind::Enum(&["serializable", "repeatable read", "read committed", "read uncommitted"]), Context::User, STATEMENT_BEHAVIOR, "Sets the current transaction's isolation level."),
    row("transaction_read_only", "off", Kind::Bool, Context::User, STATEMENT_BEHAVIOR, "Sets the current transaction's read-only status."),
    row("transform_null_equals", "off", Kind::Bool, Context::User, OTHER_PLATFORMS_AND_CLIENTS, "Treats \"expr=NULL\" as \"expr IS NULL\"."),
    row("tusk.islands", "on", Kind::Bool, Context::User, TUSK, "Lets parts of a plan run at their source; off: sources only scan."),
    row("tusk.progress", "off", Kind::Bool, Context::User, TUSK, "Sends the progress of long statements as notices."),
    row("tusk.require_pushdown", "off", Kind::Enum(&["off", "warn", "error"]), Context::User, TUSK, "What to do with a statement of which a part could not be pushed to its source."),
    row("tusk.route", "auto", Kind::Enum(&["auto", "passthrough", "federated"]), Context::User, TUSK, "Chooses where statements run: auto decides for each statement."),
    row("vacuum_cost_delay", "0", real(Unit::Millis, 0.0, 100.0), Context::User, COST_BASED_VACUUM_DELAY, "Vacuum cost delay in milliseconds."),
    row("vacuum_cost_limit", "200", int(Unit::None, 1, 10000), Context::User, COST_BASED_VACUUM_DELAY, "Vacuum cost amount available before napping."),
    row("vacuum_cost_page_dirty", "20", int(Unit::None, 0, 10000), Context::User, COST_BASED_VACUUM_DELAY, "Vacuum cost for a page dirtied by vacuum."),
    row("vacuum_cost_page_hit", "1", int(Unit::None, 0, 10000), Context::User, COST_BASED_VACUUM_DELAY, "Vacuum cost for a page found in the buffer cache."),
    row("vacuum_cost_page_miss", "2", int(Unit::None, 0, 10000), Context::User, COST_BASED_VACUUM_DELAY, "Vacuum cost for a page not found in the buffer cache."),
    row("vacuum_failsafe_age", "1600000000", int(Unit::None, 0, 2100000000), Context::User, STATEMENT_BEHAVIOR, "Age at which VACUUM should trigger failsafe to avoid a wraparound outage."),
    row("vacuum_freeze_min_age", "50000000", int(Unit::None, 0, 1000000000), Context::User, STATEMENT_BEHAVIOR, "Minimum age at which VACUUM should freeze a table row."),
    row("vacuum_freeze_table_age", "150000000", int(Unit::None, 0, 2000000000), Context::User, STATEMENT_BEHAVIOR, "Age at which VACUUM should scan whole table to freeze tuples."),
    row("vacuum_multixact_failsafe_age", "1600000000", int(Unit::None, 0, 2100000000), Context::User, STATEMENT_BEHAVIOR, "Multixact age at which VACUUM should trigger failsafe to avoid a wraparound outage."),
    row("vacuum_multixact_freeze_min_age", "5000000", int(Unit::None, 0, 1000000000), Context::User, STATEMENT_BEHAVIOR, "Minimum age at which VACUUM should freeze a MultiXactId in a table row."),
    row("vacuum_multixact_freeze_table_age", "150000000", int(Unit::None, 0, 2000000000), Context::User, STATEMENT_BEHAVIOR, "Multixact age at which VACUUM should scan whole table to freeze tuples."),
    row("wal_sender_timeout", "60000", int(Unit::Millis, 0, i32::MAX), Context::User, SENDING_SERVERS, "Sets the maximum time to wait for WAL replication."),
    row("wal_skip_threshold", "2048", int(Unit::Kib, 0, i32::MAX), Context::User, SETTINGS, "Minimum size of new file to fsync instead of writing WAL."),
    row("work_mem", "4096", int(Unit::Kib, 64, i32::MAX), Context::User, MEMORY, "Sets the maximum memory to be used for query workspaces."),
    row("xmlbinary", "base64", Kind::Enum(&["base64", "hex"]), Context::User, STATEMENT_BEHAVIOR, "Sets how binary values are to be encoded in XML."),
    row("xmloption", "content", Kind::Enum(&["content", "document"]), Context::User, STATEMENT_BEHAVIOR, "Sets whether XML data in implicit parsing and serialization operations is to be considered as documents or content fragments."),
];

const fn int(unit: Unit, min: i32, max: i32) -> Kind {
    Kind::Int { unit, min, max }
}

const fn real(unit: Unit, min: f64, max: f64) -> Kind {
    Kind::Real { unit, min, max }
}

const fn row(
    name: &'static str,
    default: &'static str,
    kind: Kind,
    context: Context,
    category: &'static str,
    description: &'static str,
) -> Variable {
    Variable { name, default, kind, context, reported: false, hidden: false, category, description }
}
