//! The TRE's peers: meter, dno, supplier, dsm, registrar, operator.
