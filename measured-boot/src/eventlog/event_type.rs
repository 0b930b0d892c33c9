//! Types of events and their names.

use core::fmt;

/// A `TCG_EVENTTYPE`. `[PFP]`
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct EventType(pub u32);

macro_rules! event_types {
    ($($constant:ident = $value:literal, $name:literal;)*) => {
        impl EventType {
            $(
                #[doc = concat!("`", $name, "`")]
                pub const $constant: Self = Self($value);
            )*

            /// The name in the specification, `None` if it is not known here.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

event_types! {
    PREBOOT_CERT = 0x0000_0000, "EV_PREBOOT_CERT";
    POST_CODE = 0x0000_0001, "EV_POST_CODE";
    NO_ACTION = 0x0000_0003, "EV_NO_ACTION";
    SEPARATOR = 0x0000_0004, "EV_SEPARATOR";
    ACTION = 0x0000_0005, "EV_ACTION";
    EVENT_TAG = 0x0000_0006, "EV_EVENT_TAG";
    S_CRTM_CONTENTS = 0x0000_0007, "EV_S_CRTM_CONTENTS";
    S_CRTM_VERSION = 0x0000_0008, "EV_S_CRTM_VERSION";
    CPU_MICROCODE = 0x0000_0009, "EV_CPU_MICROCODE";
    PLATFORM_CONFIG_FLAGS = 0x0000_000a, "EV_PLATFORM_CONFIG_FLAGS";
    TABLE_OF_DEVICES = 0x0000_000b, "EV_TABLE_OF_DEVICES";
    COMPACT_HASH = 0x0000_000c, "EV_COMPACT_HASH";
    IPL = 0x0000_000d, "EV_IPL";
    IPL_PARTITION_DATA = 0x0000_000e, "EV_IPL_PARTITION_DATA";
    NONHOST_CODE = 0x0000_000f, "EV_NONHOST_CODE";
    NONHOST_CONFIG = 0x0000_0010, "EV_NONHOST_CONFIG";
    NONHOST_INFO = 0x0000_0011, "EV_NONHOST_INFO";
    OMIT_BOOT_DEVICE_EVENTS = 0x0000_0012, "EV_OMIT_BOOT_DEVICE_EVENTS";
    EFI_VARIABLE_DRIVER_CONFIG = 0x8000_0001, "EV_EFI_VARIABLE_DRIVER_CONFIG";
    EFI_VARIABLE_BOOT = 0x8000_0002, "EV_EFI_VARIABLE_BOOT";
    EFI_BOOT_SERVICES_APPLICATION = 0x8000_0003, "EV_EFI_BOOT_SERVICES_APPLICATION";
    EFI_BOOT_SERVICES_DRIVER = 0x8000_0004, "EV_EFI_BOOT_SERVICES_DRIVER";
    EFI_RUNTIME_SERVICES_DRIVER = 0x8000_0005, "EV_EFI_RUNTIME_SERVICES_DRIVER";
    EFI_GPT_EVENT = 0x8000_0006, "EV_EFI_GPT_EVENT";
    EFI_ACTION = 0x8000_0007, "EV_EFI_ACTION";
    EFI_PLATFORM_FIRMWARE_BLOB = 0x8000_0008, "EV_EFI_PLATFORM_FIRMWARE_BLOB";
    EFI_HANDOFF_TABLES = 0x8000_0009, "EV_EFI_HANDOFF_TABLES";
    EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000_000a, "EV_EFI_PLATFORM_FIRMWARE_BLOB2";
    EFI_HANDOFF_TABLES2 = 0x8000_000b, "EV_EFI_HANDOFF_TABLES2";
    EFI_VARIABLE_BOOT2 = 0x8000_000c, "EV_EFI_VARIABLE_BOOT2";
    EFI_HCRTM_EVENT = 0x8000_0010, "EV_EFI_HCRTM_EVENT";
    EFI_VARIABLE_AUTHORITY = 0x8000_00e0, "EV_EFI_VARIABLE_AUTHORITY";
    EFI_SPDM_FIRMWARE_BLOB = 0x8000_00e1, "EV_EFI_SPDM_FIRMWARE_BLOB";
    EFI_SPDM_FIRMWARE_CONFIG = 0x8000_00e2, "EV_EFI_SPDM_FIRMWARE_CONFIG";
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "event type {:#010x}", self.0),
        }
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
