//! What is to be said: posts and their variants, media, campaigns, brands, tracked links.

mod brand;
mod campaign;
mod link;
mod media;
mod post;

pub use brand::{Brand, Voice};
pub use campaign::{Campaign, CampaignStatus};
pub use link::{Utm, untag};
pub use media::{Media, MediaKind, MediaSource};
pub use post::{Content, Delivery, PlatformOptions, Post, Variant};
