//! librunner
