//! Whether this machine's cores reorder instructions. That decides between `neon` and `neon_in_order`, which compute the same, so a
//! wrong answer costs time and nothing else.
//!
//! Linux shows each core's model in `/proc/cpuinfo`. The in-order loops are chosen only where **all** cores are in order: on a machine
//! with both kinds a loaded thread is moved to a big core, which runs either loop at nearly the same speed, and packed weights stay
//! with the kernel that they were packed for wherever their thread goes. Elsewhere, without the feature `std`, and for models
//! that are not listed, the answer is no.

/// The models whose loads of 128 bits keep an FMA from being issued beside them: `CPU part` of `CPU implementer` 0x41, which is Arm.
/// A510 and A520 are in order too, but load 128 bits at a time.
const IN_ORDER: [u32; 3] = [
    0xd03, // Cortex-A53
    0xd04, // Cortex-A35
    0xd05, // Cortex-A55
];

/// Whether no core of this machine reorders instructions. Asked once, then remembered.
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
pub(crate) fn all_in_order() -> bool {
    #[cfg(all(feature = "std", target_os = "linux"))]
    {
        static ANSWER: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *ANSWER.get_or_init(|| {
            std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|cpuinfo| are_in_order(&cpuinfo))
        })
    }
    #[cfg(not(all(feature = "std", target_os = "linux")))]
    {
        are_in_order("")
    }
}

/// Whether every core that `cpuinfo` shows is one of [`IN_ORDER`], and it shows any.
fn are_in_order(cpuinfo: &str) -> bool {
    let values = |key| {
        cpuinfo.lines().filter_map(move |line| {
            let (name, value) = line.split_once(':')?;
            let hex = value.trim().strip_prefix("0x")?;
            (name.trim() == key).then_some(u32::from_str_radix(hex, 16).ok())
        })
    };
    let is_listed = |part: Option<u32>| part.is_some_and(|part| IN_ORDER.contains(&part));
    values("CPU part").next().is_some()
        && values("CPU part").all(is_listed)
        && values("CPU implementer").all(|implementer| implementer == Some(0x41))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    /// What Linux on AArch64 prints for cores of these models.
    fn cpuinfo(cores: &[(&str, &str)]) -> String {
        let mut text = String::new();
        for (i, (implementer, part)) in cores.iter().enumerate() {
            text += &alloc::format!(
                "processor\t: {i}\nBogoMIPS\t: 38.40\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid\n\
                 CPU implementer\t: {implementer}\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {part}\n\
                 CPU revision\t: 4\n\n"
            );
        }
        text
    }

    #[test]
    fn in_order_is_a_machine_of_such_cores_only() {
        const A53: (&str, &str) = ("0x41", "0xd03");
        const A55: (&str, &str) = ("0x41", "0xd05");
        const A72: (&str, &str) = ("0x41", "0xd08");
        assert!(are_in_order(&cpuinfo(&[A53; 4])));
        assert!(are_in_order(&cpuinfo(&[A55])));
        assert!(are_in_order(&cpuinfo(&[A53, A55, ("0x41", "0xd04")])));
        assert!(!are_in_order(&cpuinfo(&[A72; 4])));
        assert!(!are_in_order(&cpuinfo(&[A53, A53, A53, A53, A72, A72])));
        assert!(!are_in_order(&cpuinfo(&[A72, A53])));
        // Another maker's number means another core.
        assert!(!are_in_order(&cpuinfo(&[("0x51", "0xd03")])));
    }

    #[test]
    fn what_is_not_understood_is_not_in_order() {
        assert!(!are_in_order(""));
        assert!(!are_in_order(
            "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel\t\t: 49\n"
        ));
        assert!(!are_in_order(&cpuinfo(&[("0x41", "0xwhat")])));
        assert!(!are_in_order(&cpuinfo(&[
            ("0x41", "0xd03"),
            ("0x41", "0xwhat")
        ])));
    }
}
