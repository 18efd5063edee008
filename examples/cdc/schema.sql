-- The part of a hospital's database that mapping.yaml maps, as PostgreSQL has it. Debezium reads it with
-- REPLICA IDENTITY DEFAULT; what a deleted row stated is known from before.
CREATE TABLE patients (
  id         bigint PRIMARY KEY,
  mrn        text NOT NULL,
  born       date,
  sex        char(1),
  died       timestamptz
);

CREATE TABLE encounters (
  id         bigint PRIMARY KEY,
  patient_id bigint NOT NULL REFERENCES patients,
  kind       text NOT NULL,            -- inpatient, outpatient, emergency
  began      timestamptz NOT NULL,
  ended      timestamptz
);

CREATE TABLE lab_results (             -- names the encounter alone
  id           bigint PRIMARY KEY,
  encounter_id bigint NOT NULL REFERENCES encounters,
  test         text NOT NULL,          -- the laboratory's own code
  value        numeric(12, 4),
  unit         text,
  status       text NOT NULL,          -- pending, final, corrected, void
  taken        timestamptz NOT NULL
);

CREATE TABLE diagnoses (
  encounter_id bigint NOT NULL REFERENCES encounters,
  rank         int NOT NULL,
  icd10        text NOT NULL,
  onset        date,
  PRIMARY KEY (encounter_id, rank)
);

CREATE TABLE prescriptions (
  id           bigint PRIMARY KEY,
  encounter_id bigint NOT NULL REFERENCES encounters,
  drug         text NOT NULL,          -- the pharmacy's own code
  began        timestamptz NOT NULL,
  ended        timestamptz
);
