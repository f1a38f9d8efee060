//! Errors of wgpu, caught.

use crate::{gpu::error::in_one_line, offload::error::OffloadError};

/// Catches every error of the calls on this thread until it is popped; without it wgpu would panic.
pub(super) struct Scopes([wgpu::ErrorScopeGuard; 3]);

impl Scopes {
    pub(super) fn push(device: &wgpu::Device) -> Self {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        Self([Validation, Internal, OutOfMemory].map(|filter| device.push_error_scope(filter)))
    }

    pub(super) fn pop(self) -> impl Future<Output = Result<(), OffloadError>> {
        let [validation, internal, memory] = self.0;
        // Scopes are popped in reverse order.
        let (memory, internal, validation) = (memory.pop(), internal.pop(), validation.pop());
        async move {
            let errors = [memory.await, internal.await, validation.await];
            errors
                .into_iter()
                .flatten()
                .next()
                .map_or(Ok(()), |error| Err(described(error)))
        }
    }
}

fn described(error: wgpu::Error) -> OffloadError {
    match error {
        wgpu::Error::OutOfMemory { source } => OffloadError::OutOfMemory {
            details: source.to_string(),
        },
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => OffloadError::Gpu {
            details: in_one_line(description),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_memory_is_an_error_of_its_own() {
        let error = wgpu::Error::OutOfMemory {
            source: "16 GiB asked for".into(),
        };
        assert_eq!(
            described(error),
            OffloadError::OutOfMemory {
                details: "16 GiB asked for".into()
            }
        );
        let (source, description) = ("source".into(), "what wgpu says".to_string());
        let error = wgpu::Error::Validation { source, description };
        let details = "what wgpu says".into();
        assert_eq!(described(error), OffloadError::Gpu { details });
    }
}
