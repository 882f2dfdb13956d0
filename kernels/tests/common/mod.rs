//! How much the tests do.

#![allow(dead_code, reason = "each test takes its part")]

/// The number of random problems a kernel that `DWSEP_TEST_CASES` asks for.
pub fn test_cases() -> Result<Option<u32>, String> {
    let Ok(cases) = std::env::var("DWSEP_TEST_CASES") else {
        return Ok(None);
    };
    let parsed = cases.parse().map(Some);
    parsed.map_err(|_| format!("DWSEP_TEST_CASES: {cases:?} is no number"))
}

/// Whether few problems are asked for: by emulators and sanitizers, which take a hundred times as long over each.
pub fn few_cases() -> Result<bool, String> {
    Ok(test_cases()?.is_some_and(|cases| cases < 64))
}
