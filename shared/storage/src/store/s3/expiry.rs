//! Deletions that a service refuses when they arrive late.
//!
//! An object may be written again under its name by whoever leads next, with the same bytes and so the same ETag: no condition could tell it
//! from the one that was to go. So the signature of a deletion says for how long it counts, as that of a presigned URL does, and a
//! request that the network has held back for longer does nothing. Amazon S3 documents `X-Amz-Expires` under "Authenticating
//! Requests: Using Query Parameters (AWS Signature Version 4)".

use std::time::Duration;

use aws_runtime::auth::{HttpSignatureType, SigV4OperationSigningConfig};
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sigv4::http_request::SignableBody;

/// Signs a request so that it counts for this long only, from the whole second in which it is signed. A request that is not signed stays
/// as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiring(pub(super) Duration);

impl Intercept for Expiring {
    fn name(&self) -> &'static str {
        "expiring"
    }

    fn modify_before_signing(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(mut signing) = config.load::<SigV4OperationSigningConfig>().cloned() {
            signing.signing_options.expires_in = Some(self.0);
            signing.signing_options.signature_type = HttpSignatureType::HttpRequestQueryParams;
            // A service takes the body of such a request for one that is not signed.
            signing.signing_options.payload_override = Some(SignableBody::UnsignedPayload);
            config.interceptor_state().store_put(signing);
        }
        Ok(())
    }

    /// Where the signature is part of the address, services refuse headers of this family that are not signed. This one never is.
    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().remove("x-amz-user-agent");
        Ok(())
    }
}
