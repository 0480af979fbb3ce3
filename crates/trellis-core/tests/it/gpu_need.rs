//! The table of docs/trellis2.md that says what a card can do is what jobs are admitted by.

use trellis_core::GpuNeed;

#[test]
fn the_page_of_trellis_2_says_what_each_card_can_do() {
    let page = include_str!("../../../../docs/trellis2.md");
    let row = |gigabytes: u64| {
        // A card's memory is told a little below its name.
        let memory = (gigabytes << 30) - (300 << 20);
        let ways = [512, 1024, 1536].map(|resolution| {
            let need = GpuNeed::of_trellis2(resolution);
            match memory {
                memory if memory >= need.resident_bytes => "all models",
                memory if memory >= need.low_bytes => "low VRAM",
                _ => "no",
            }
        });
        format!("| {gigabytes} GB | {} |\n", ways.join(" | "))
    };
    let rows: String = [8, 12, 16, 24, 32, 48, 80, 141].map(row).concat();
    let table = format!("| card | 512 | 1024 | 1536 |\n|---|---|---|---|\n{rows}");
    assert!(
        page.contains(&table),
        "docs/trellis2.md has another table than\n{table}"
    );
}
