//! All integration tests, in one binary: each links the drivers of both databases, and one such binary
//! takes megabytes where one a file took gigabytes. A file a subject all the same;
//! `cargo test -p mire --test main -- parking::` runs those of one.

#[macro_use]
mod common;

mod append_outcomes;
mod bad_input;
mod cancelled;
mod column_types;
mod copy;
mod corruption;
mod declared;
mod declared_projections;
mod dump_and_restore;
mod event_data;
mod forms;
mod group_commit;
mod leases;
mod look_ups;
mod lost_answers;
mod migrating;
mod model;
mod page_ends;
mod parking;
mod postgres_order;
mod postgres_plans;
mod rebuild;
mod rebuild_declared;
mod recorded;
mod registry;
mod runner;
mod runner_postgres;
mod runner_processes;
mod saves;
mod server_faults;
mod slow_handlers;
mod snapshots;
mod sqlite;
mod sqlite_leaders;
mod sqlite_processes;
mod stale_states;
mod store;
mod subscription_order;
mod tables;
mod undecodable;
