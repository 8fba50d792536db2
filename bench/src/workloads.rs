//! The workloads, one a file, in the order of the table.

mod append;
mod bystander;
mod catch_up;
pub mod compile_time;
mod contended;
mod fairness;
mod fold;
mod growth;
mod lone;
mod losses;
mod memory;
mod save_many;
mod saves_in_sequence;
mod saves_side_by_side;
pub mod tables;
mod take_over;
mod wake_up;

use crate::workload::Workload;

pub fn all() -> Vec<Box<dyn Workload>> {
    vec![
        Box::new(saves_in_sequence::SavesInSequence),
        Box::new(saves_side_by_side::SavesSideBySide),
        Box::new(append::Append),
        Box::new(contended::Contended),
        Box::new(save_many::SaveMany),
        Box::new(fold::Fold),
        Box::new(tables::Tables(tables::Style::Upserts)),
        Box::new(tables::Tables(tables::Style::SetBased)),
        Box::new(catch_up::CatchUp),
        Box::new(wake_up::WakeUp),
        Box::new(take_over::TakeOver),
        Box::new(bystander::Bystander),
        Box::new(growth::Growth::default()),
        Box::new(compile_time::CompileTime),
        Box::new(losses::Losses),
        Box::new(memory::Memory),
        Box::new(fairness::Fairness),
        Box::new(lone::Lone),
    ]
}
