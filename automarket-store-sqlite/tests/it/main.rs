//! The store from the outside: its contract, its file, its faults, and what a kill leaves.

mod contract;
