//! Tables of a flatbuffer, each declared once: the declaration gives both the verification and the accessors, so what is read
//! is what has been verified.
//!
//! ```text
//! table:  [ i32: its own position - vtable's ][ fields ... ]        vtable:  [ u16: bytes ][ u16 ][ u16: offset of field 0, or 0 ] ...
//! a vector, a text, another table in a field:  u32, the distance from here on        vector:  [ u32: length ][ elements ... ]
//! ```
//!
//! The crate `flatbuffers` verifies: [`root`] has its verifier walk over every table that is declared, with limits for depth, tables and
//! bytes. The crate's accessors, and the code that its compiler generates, are `unsafe` and rest on that. Ours are not: they check
//! every position once more, which costs nothing that could be measured (weights are slices), and treat what is out of range as
//! absent.

use std::marker::PhantomData;

use flatbuffers::{
    ForwardsUOffset, InvalidFlatbuffer, Vector, Verifiable, Verifier, VerifierOptions,
};

/// Bytes of the offset that leads to what is not stored in place.
const OFFSET: usize = size_of::<u32>();

/// The flatbuffer's root table, after all that it leads to has been verified.
pub(super) fn root<'a, T: Field<'a>>(
    buffer: &'a [u8],
    options: &VerifierOptions,
) -> Result<T, InvalidFlatbuffer> {
    let mut verifier = Verifier::new(options, buffer);
    T::Verified::run_verifier(&mut verifier, 0)?;
    T::read(buffer, 0).ok_or(InvalidFlatbuffer::RangeOutOfBounds {
        range: 0..OFFSET,
        error_trace: Default::default(),
    })
}

/// What a field of a table, or an element of a vector, can be.
pub(super) trait Field<'a>: Sized {
    /// Bytes in place: of a scalar, or of an offset.
    const SIZE: usize;

    /// What `flatbuffers` verifies in its place.
    type Verified: Verifiable + 'static;

    /// The value whose bytes in place begin at `position`; `None` if any of it is outside of the buffer.
    fn read(buffer: &'a [u8], position: usize) -> Option<Self>;
}

/// Implements [`Field`] for numbers.
macro_rules! scalars {
    ($($type:ty),*) => {$(
        impl<'a> Field<'a> for $type {
            const SIZE: usize = size_of::<$type>();
            type Verified = $type;

            fn read(buffer: &'a [u8], position: usize) -> Option<Self> {
                let (bytes, _) = buffer.get(position..)?.split_first_chunk()?;
                Some(Self::from_le_bytes(*bytes))
            }
        }
    )*};
}

scalars!(i8, u8, u16, i32, u32, f32, i64, u64);

impl<'a> Field<'a> for bool {
    const SIZE: usize = 1;
    type Verified = bool;

    fn read(buffer: &'a [u8], position: usize) -> Option<Self> {
        Some(*buffer.get(position)? != 0)
    }
}

impl<'a> Field<'a> for &'a [u8] {
    const SIZE: usize = OFFSET;
    type Verified = ForwardsUOffset<Vector<'static, u8>>;

    fn read(buffer: &'a [u8], position: usize) -> Option<Self> {
        let start = follow(buffer, position)?;
        let len = u32::read(buffer, start)? as usize;
        buffer.get(start + OFFSET..)?.get(..len)
    }
}

impl<'a> Field<'a> for &'a str {
    const SIZE: usize = OFFSET;
    type Verified = ForwardsUOffset<&'static str>;

    fn read(buffer: &'a [u8], position: usize) -> Option<Self> {
        std::str::from_utf8(<&[u8]>::read(buffer, position)?).ok()
    }
}

/// A vector of numbers or of tables.
#[derive(Debug)]
pub(super) struct List<'a, T> {
    buffer: &'a [u8],
    /// Position of the first element.
    start: usize,
    len: usize,
    element: PhantomData<T>,
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<'_, T> {}

impl<'a, T: Field<'a>> Field<'a> for List<'a, T>
where
    Vector<'static, T::Verified>: Verifiable,
{
    const SIZE: usize = OFFSET;
    type Verified = ForwardsUOffset<Vector<'static, T::Verified>>;

    fn read(buffer: &'a [u8], position: usize) -> Option<Self> {
        let start = follow(buffer, position)?;
        let len = u32::read(buffer, start)? as usize;
        let start = start + OFFSET;
        buffer.get(start..)?.get(..len.checked_mul(T::SIZE)?)?;
        Some(Self {
            buffer,
            start,
            len,
            element: PhantomData,
        })
    }
}

impl<'a, T: Field<'a>> List<'a, T> {
    pub(super) fn len(self) -> usize {
        self.len
    }

    pub(super) fn get(self, index: usize) -> Option<T> {
        // No overflow: the last element ends inside of the buffer.
        (index < self.len).then(|| T::read(self.buffer, self.start + index * T::SIZE))?
    }

    pub(super) fn iter(self) -> impl Iterator<Item = T> {
        (0..self.len).filter_map(move |index| self.get(index))
    }
}

/// A table, whatever its fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    buffer: &'a [u8],
    position: usize,
}

impl<'a> Table<'a> {
    /// The table that the offset at `position` leads to.
    pub(super) fn follow(buffer: &'a [u8], position: usize) -> Option<Self> {
        let position = follow(buffer, position)?;
        Some(Self { buffer, position })
    }

    /// The field with this number; `None` if the table does not have it, which stands for its default.
    pub(super) fn field<T: Field<'a>>(self, number: u16) -> Option<T> {
        let distance = i32::read(self.buffer, self.position)?;
        let vtable = self
            .position
            .checked_add_signed((-i64::from(distance)).try_into().ok()?)?;
        let slot = usize::from(slot(number));
        if slot >= usize::from(u16::read(self.buffer, vtable)?) {
            return None;
        }
        match u16::read(self.buffer, vtable.checked_add(slot)?)? {
            0 => None,
            offset => T::read(self.buffer, self.position.checked_add(usize::from(offset))?),
        }
    }
}

/// Where the vtable says where the field with this number is.
pub(super) const fn slot(number: u16) -> u16 {
    4 + 2 * number
}

/// The position that the offset at `position` leads to.
fn follow(buffer: &[u8], position: usize) -> Option<usize> {
    position.checked_add(u32::read(buffer, position)? as usize)
}

/// Declares a table: `Name<'a> { number name: type; ... }`, with `= default` for an accessor that does not return an `Option`,
/// and at the end `union type_number value_number name: Union;` for a union.
macro_rules! table {
    (
        $(#[$doc:meta])*
        $name:ident<$a:lifetime> {
            $($number:literal $field:ident: $type:ty $(= $default:expr)?;)*
            $(union $tag:literal $value:literal $choice:ident: $union:ident;)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(super) struct $name<$a>($crate::weights::tflite::table::Table<$a>);

        impl<$a> $name<$a> {
            $(table!(@accessor $a $number $field: $type $(= $default)?);)*
            $(
                pub(super) fn $choice(self) -> Option<$union<$a>> {
                    $union::read(self.0, $tag, $value)
                }
            )?
        }

        impl<$a> $crate::weights::tflite::table::Field<$a> for $name<$a> {
            const SIZE: usize = size_of::<u32>();
            type Verified = flatbuffers::ForwardsUOffset<$name<'static>>;

            fn read(buffer: &$a [u8], position: usize) -> Option<Self> {
                $crate::weights::tflite::table::Table::follow(buffer, position).map(Self)
            }
        }

        impl<$a> flatbuffers::Verifiable for $name<$a> {
            fn run_verifier(
                verifier: &mut flatbuffers::Verifier<'_, '_>,
                position: usize,
            ) -> Result<(), flatbuffers::InvalidFlatbuffer> {
                let table = verifier.visit_table(position)?;
                $(
                    let table = table.visit_field::<
                        <$type as $crate::weights::tflite::table::Field<'_>>::Verified
                    >(stringify!($field), $crate::weights::tflite::table::slot($number), false)?;
                )*
                $(
                    let mut table = table;
                    $union::verify(&mut table, $tag, $value)?;
                )?
                table.finish();
                Ok(())
            }
        }
    };
    (@accessor $a:lifetime $number:literal $field:ident: $type:ty) => {
        pub(super) fn $field(self) -> Option<$type> {
            self.0.field($number)
        }
    };
    (@accessor $a:lifetime $number:literal $field:ident: $type:ty = $default:expr) => {
        pub(super) fn $field(self) -> $type {
            self.0.field($number).unwrap_or($default)
        }
    };
}

/// Declares a union of tables, `Name<'a> { tag Variant: Table; ... }`. A tag that is not listed becomes `Other`; what it leads to is
/// neither verified nor read.
macro_rules! union {
    (
        $(#[$doc:meta])*
        $name:ident<$a:lifetime> { $($tag:literal $variant:ident: $table:ident;)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(super) enum $name<$a> {
            $($variant($table<$a>),)*
            Other(u8),
        }

        impl<$a> $name<$a> {
            fn read(
                table: $crate::weights::tflite::table::Table<$a>,
                tag: u16,
                value: u16,
            ) -> Option<Self> {
                match table.field::<u8>(tag)? {
                    $($tag => table.field(value).map(Self::$variant),)*
                    other => Some(Self::Other(other)),
                }
            }

            fn verify(
                table: &mut flatbuffers::TableVerifier<'_, '_, '_>,
                tag: u16,
                value: u16,
            ) -> Result<(), flatbuffers::InvalidFlatbuffer> {
                let tag = table.deref($crate::weights::tflite::table::slot(tag))?;
                let value = table.deref($crate::weights::tflite::table::slot(value))?;
                let (Some(tag), Some(value)) = (tag, value) else {
                    return Ok(());
                };
                let verifier = table.verifier();
                match verifier.get_u8(tag)? {
                    $($tag => verifier.verify_union_variant::<
                        flatbuffers::ForwardsUOffset<$table<'_>>
                    >(stringify!($table), value),)*
                    _ => Ok(()),
                }
            }
        }
    };
}

pub(super) use {table, union};
