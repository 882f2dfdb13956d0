//! What is measured on, in words: as much of it as the operating system tells.

use std::fmt;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

/// Extensions that matter to kernels like these, as Linux calls them on x86-64 and on AArch64.
const FEATURES: &[&str] = &[
    "sse4_2",
    "avx",
    "f16c",
    "fma",
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "avx512_bf16",
    "amx_int8",
    "asimd",
    "asimdhp",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
    "sve2",
    "sme",
];

/// Cores of AArch64 by their part numbers, those of boards and servers that people have.
const ARM_PARTS: &[(&str, &str)] = &[
    ("0xd03", "Cortex-A53"),
    ("0xd04", "Cortex-A35"),
    ("0xd05", "Cortex-A55"),
    ("0xd07", "Cortex-A57"),
    ("0xd08", "Cortex-A72"),
    ("0xd09", "Cortex-A73"),
    ("0xd0a", "Cortex-A75"),
    ("0xd0b", "Cortex-A76"),
    ("0xd0c", "Neoverse-N1"),
    ("0xd40", "Neoverse-V1"),
    ("0xd41", "Cortex-A78"),
    ("0xd44", "Cortex-X1"),
    ("0xd46", "Cortex-A510"),
    ("0xd49", "Neoverse-N2"),
    ("0xd4f", "Neoverse-V2"),
];

/// The machine, and how busy it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name; on boards, the board's and its cores'.
    pub cpu: Option<String>,
    /// CPUs that this process may use.
    pub cpus: usize,
    /// Data caches of the first CPU, the nearest first.
    pub caches: Vec<Cache>,
    pub os: String,
    pub arch: String,
    /// Those of [`FEATURES`] that the CPU has.
    pub features: Vec<String>,
    /// Processes that wanted to run during the minute before, on average.
    pub load_average: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cache {
    pub level: u32,
    pub kib: u64,
}

impl Machine {
    pub fn here() -> Self {
        let cpuinfo = text("/proc/cpuinfo").unwrap_or_default();
        let os = match text("/proc/sys/kernel/osrelease") {
            Some(release) => format!("{} {release}", std::env::consts::OS),
            None => std::env::consts::OS.to_owned(),
        };
        Self {
            cpu: cpu(&cpuinfo, text("/proc/device-tree/model")),
            cpus: available_parallelism().map_or(1, usize::from),
            caches: caches(Path::new("/sys/devices/system/cpu/cpu0/cache")),
            os,
            arch: std::env::consts::ARCH.to_owned(),
            features: features(&cpuinfo),
            load_average: text("/proc/loadavg")
                .and_then(|loads| loads.split_whitespace().next()?.parse().ok()),
        }
    }

    /// Whether times may be compared.
    pub fn is_like(&self, other: &Self) -> bool {
        let identity = |machine: &Self| (machine.cpu.clone(), machine.arch.clone(), machine.cpus);
        identity(self) == identity(other)
    }

    /// The size of the largest cache, 0 if unknown.
    pub fn largest_cache(&self) -> usize {
        let largest = self.caches.iter().map(|cache| cache.kib << 10).max();
        largest.map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    pub fn caches(&self) -> String {
        let caches: Vec<_> = self.caches.iter().map(Cache::to_string).collect();
        or_unknown(caches.join(", "))
    }

    pub fn features(&self) -> String {
        or_unknown(self.features.join(" "))
    }

    pub fn cpu(&self) -> &str {
        self.cpu.as_deref().unwrap_or("unknown CPU")
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self { cpus, os, arch, .. }, cpu) = (self, self.cpu());
        let plural = if *cpus == 1 { "" } else { "s" };
        write!(f, "{cpu}, {cpus} CPU{plural} at hand, {os} on {arch}")
    }
}

impl fmt::Display for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, kib } = self;
        if kib % 1024 == 0 {
            write!(f, "L{level} {} MiB", kib / 1024)
        } else {
            write!(f, "L{level} {kib} KiB")
        }
    }
}

/// The most memory that this process has had so far, in megabytes of 10^6 bytes. Linux only.
pub fn peak_rss_mb() -> Option<f64> {
    peak_of_status(&text("/proc/self/status")?)
}

fn peak_of_status(status: &str) -> Option<f64> {
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

/// The contents of a small file of the kernel's, without the NUL that ends those of the device tree.
fn text(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim_matches(['\0', '\n', ' ']).to_owned())
}

fn or_unknown(text: String) -> String {
    if text.is_empty() {
        "unknown".to_owned()
    } else {
        text
    }
}

/// Values of all lines `key : value`.
fn values<'a>(cpuinfo: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    cpuinfo.lines().filter_map(move |line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == key).then(|| value.trim())
    })
}

fn cpu(cpuinfo: &str, board: Option<String>) -> Option<String> {
    if let Some(name) = values(cpuinfo, "model name").next() {
        return Some(name.to_owned());
    }
    let mut cores: Vec<&str> = Vec::new();
    for part in values(cpuinfo, "CPU part") {
        let known = ARM_PARTS.iter().find(|(number, _)| *number == part);
        let core = known.map_or(part, |(_, name)| name);
        if !cores.contains(&core) {
            cores.push(core);
        }
    }
    match (board, cores.join(" and ")) {
        (None, cores) => Some(cores).filter(|cores| !cores.is_empty()),
        (Some(board), cores) if cores.is_empty() => Some(board),
        (Some(board), cores) => Some(format!("{board} ({cores})")),
    }
}

fn features(cpuinfo: &str) -> Vec<String> {
    let lines = values(cpuinfo, "flags").chain(values(cpuinfo, "Features"));
    let found: Vec<&str> = lines.take(1).flat_map(str::split_whitespace).collect();
    let known = FEATURES.iter().filter(|feature| found.contains(feature));
    known.map(|&feature| feature.to_owned()).collect()
}

fn caches(folder: &Path) -> Vec<Cache> {
    let cache = |index: usize| {
        let entry = |name| text(folder.join(format!("index{index}")).join(name));
        let level = entry("level")?.parse().ok()?;
        let kib = entry("size")?.strip_suffix('K')?.parse().ok()?;
        (entry("type")? != "Instruction").then_some(Cache { level, kib })
    };
    (0..8).filter_map(cache).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_named() {
        let pc = "processor : 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 fma\n\nmodel name : Some CPU\n";
        assert_eq!(cpu(pc, None).as_deref(), Some("Some CPU"));
        assert_eq!(features(pc), ["fma", "avx2"]);
        let board =
            "Features : fp asimd crc32\nCPU part : 0xd08\n\nCPU part : 0xd08\nCPU part : 0xfff\n";
        assert_eq!(cpu(board, None).as_deref(), Some("Cortex-A72 and 0xfff"));
        let named = cpu(board, Some("A Board".to_owned()));
        assert_eq!(named.as_deref(), Some("A Board (Cortex-A72 and 0xfff)"));
        assert_eq!(features(board), ["asimd"]);
        assert_eq!(cpu("", None), None);
        assert_eq!(cpu("", Some("B".into())).as_deref(), Some("B"));
    }

    #[test]
    fn peak_memory_is_read_where_the_kernel_writes_it() {
        let status = "Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t    1000 kB\n";
        assert_eq!(peak_of_status(status), Some(1.024));
        assert_eq!(peak_of_status("Name:\tx\n"), None);
        assert_eq!(peak_of_status("VmHWM:\t many kB\n"), None);
    }

    #[test]
    fn caches_have_units() {
        let text = |kib| Cache { level: 2, kib }.to_string();
        assert_eq!(text(512), "L2 512 KiB");
        assert_eq!(text(32768), "L2 32 MiB");
        assert!(caches(Path::new("no/such/folder")).is_empty());
    }
}
