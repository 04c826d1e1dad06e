/// The real transport.
#[derive(Clone, Debug)]
pub struct ReqwestTransport;

/// Builds one.
#[derive(Clone, Debug)]
pub struct ReqwestTransportBuilder;
