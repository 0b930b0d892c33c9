//! The demo: a day of real households through all three flows, on any box.

pub mod flows;
pub mod homes;
pub mod page;
pub mod page_check;
pub mod plots;
pub mod recompute;
pub mod report;
pub mod stage;
