//! What is not there is left out and never `null`, which the derives can't know.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Type,
        schema::{Schema, SchemaType},
    },
};

use crate::cache::Explanation;

/// Makes no optional property of `schema` one that can be `null`. What can be is required.
pub(super) fn never_null(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::AllOf(all)) => all.items.iter_mut().for_each(never_null),
        RefOr::T(Schema::Object(object)) => {
            for (name, property) in &mut object.properties {
                if !object.required.contains(name) {
                    strip_null(property);
                }
            }
        }
        _ => {}
    }
}

fn strip_null(property: &mut RefOr<Schema>) {
    match property {
        RefOr::T(Schema::Object(object)) => {
            object.default = None;
            if let SchemaType::Array(types) = &object.schema_type
                && let [other, Type::Null] = &types[..]
            {
                object.schema_type = other.clone().into();
            }
        }
        RefOr::T(Schema::OneOf(one)) => {
            if let [other, _null] = &one.items[..] {
                *property = other.clone();
            }
        }
        _ => {}
    }
}

/// The fields of an [`Explanation`] that are part of another object, if they are there.
#[derive(Clone, Copy)]
pub(in crate::http) enum IfAny {}

impl ToSchema for IfAny {
    fn name() -> std::borrow::Cow<'static, str> {
        "ExplanationIfAny".into()
    }
}

impl PartialSchema for IfAny {
    fn schema() -> RefOr<Schema> {
        let mut schema = Explanation::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.required.clear();
        }
        schema
    }
}
