//! What generated code names. Not part of the public interface: it may change in any release.
