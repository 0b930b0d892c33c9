//! As much of `reqwest` as lets the build script of `cmw` compile. It calls nothing of it unless
//! its feature `rebuild-cfmap` is on, and then it is told that nothing is fetched here.

#![forbid(unsafe_code)]

/// Calls that wait for their answer.
pub mod blocking {
    use std::io::{Error, Read, Result};

    fn refused<T>() -> Result<T> {
        Err(Error::other("expected a build that fetches nothing"))
    }

    /// What would make a client.
    #[derive(Debug)]
    pub struct ClientBuilder;

    /// What would fetch.
    #[derive(Debug)]
    pub struct Client;

    /// What would be sent.
    #[derive(Debug)]
    pub struct RequestBuilder;

    /// What would be answered.
    #[derive(Debug)]
    pub struct Response;

    impl Client {
        /// Begins.
        #[must_use]
        pub fn builder() -> ClientBuilder {
            ClientBuilder
        }

        /// Names what to fetch.
        #[must_use]
        pub fn get(&self, _address: &str) -> RequestBuilder {
            RequestBuilder
        }
    }

    impl ClientBuilder {
        /// Says who fetches.
        #[must_use]
        pub fn user_agent(self, _name: &str) -> Self {
            self
        }

        /// Refuses.
        ///
        /// # Errors
        ///
        /// Always.
        pub fn build(self) -> Result<Client> {
            refused()
        }
    }

    impl RequestBuilder {
        /// Refuses.
        ///
        /// # Errors
        ///
        /// Always.
        pub fn send(self) -> Result<Response> {
            refused()
        }
    }

    impl Response {
        /// Refuses.
        ///
        /// # Errors
        ///
        /// Always.
        pub fn error_for_status(self) -> Result<Self> {
            refused()
        }
    }

    impl Read for Response {
        fn read(&mut self, _buffer: &mut [u8]) -> Result<usize> {
            refused()
        }
    }
}
